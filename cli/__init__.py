"""The command line: one module per group of commands, and no science in it."""
