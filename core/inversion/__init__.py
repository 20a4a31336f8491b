"""Turn pictures of the user into codes of a generator."""
