"""Measure extractors: agreement with the teacher, few shots, and the geometry of classes."""
