"""Boundaries: a linear boundary for every concept that varies, learnt from scores (method A.2 to A.4)."""
