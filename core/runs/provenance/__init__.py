"""Record what stored numbers were computed from, as digests and keys, and find changes."""
