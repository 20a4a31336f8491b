"""Pickles: read by a machine that calls nothing that they name."""
