"""Analyses of a finished run: each adds a folder under analysis/ and a chapter to the report."""
