"""Compose a generator from its layers, read which layers are meant, and move codes at them."""
