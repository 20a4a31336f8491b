"""Measure how accurate the scorers are on rooms of known ground truth: `python -m recipes.rooms.accuracy`."""
