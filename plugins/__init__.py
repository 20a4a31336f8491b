"""Contain the built-in plugins, which are registered by the same hooks as those of other packages."""
