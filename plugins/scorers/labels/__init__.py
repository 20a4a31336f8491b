"""Names of the classes of published networks, in their order."""
