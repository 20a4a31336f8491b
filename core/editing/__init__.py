"""Editing: chosen pictures moved along chosen boundaries, as strips, films, tables and a page (method C)."""
