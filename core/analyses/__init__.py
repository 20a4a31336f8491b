"""Analyse finished runs: each analysis adds a folder under analysis/ and a chapter to the report."""
