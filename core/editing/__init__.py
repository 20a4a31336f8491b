"""Move chosen pictures along chosen boundaries, as strips, films, tables and a page (method C)."""
