"""Manage runs: the run directory, its manifest, the plugins built for it, and the workers that compute."""
