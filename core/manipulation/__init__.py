"""Editing for people: chosen pictures, chosen boundaries, chosen layers, as strips, grids, films and a page."""
