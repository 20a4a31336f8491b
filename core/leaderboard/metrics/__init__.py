"""Compute the metrics of the leaderboard, a file for each family, in pure functions.

Shapes: E learners, B concepts with a direction each, T steps, K moved samples, N samples that are not moved,
R resamples, M random directions. Changes are in standard deviations of each concept.
"""
