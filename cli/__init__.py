"""Provide the command line: one module per group of commands, without any science."""
