"""Provenance: what a stored number was computed from, as digests and as keys, and what has changed since."""
