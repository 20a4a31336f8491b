"""Strata: a generator as a composition of layers, which layers are meant, and codes moved at them."""
