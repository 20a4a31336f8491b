"""Spread the tasks of a run over the workers of an engine."""
