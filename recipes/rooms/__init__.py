"""Everything needed to make the bundled model of rooms again."""
