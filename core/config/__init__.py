"""Define, read and validate configs, and describe their faults."""
