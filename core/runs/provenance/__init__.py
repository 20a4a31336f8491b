"""Provenance: records what stored numbers were computed from, as digests and keys, and finds changes."""
