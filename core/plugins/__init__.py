"""Plugins: what a generator, a scorer and a boundary learner are, and how they are found, called and blamed."""
