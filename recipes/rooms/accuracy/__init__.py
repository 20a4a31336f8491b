"""Measure the accuracy of the scorers on rooms whose ground truth is known: `python -m recipes.rooms.accuracy`."""
