"""Hold the method: contracts, registry, stages and mathematics; knows no plugin and no command line."""
