"""Figures: drawings as SVG, picture sheets, and the frame of every page. Nothing here knows an analysis."""
