"""Figures: drawings as SVG, picture sheets, and the frame of every page. Independent of all analyses."""
