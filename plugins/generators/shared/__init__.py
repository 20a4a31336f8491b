"""Provide what several generators use: tensor layouts, network layers, classes, noise and truncation."""
