"""The five stages of a run; each is a function over its directory."""
