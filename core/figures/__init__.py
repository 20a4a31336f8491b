"""Figures: drawings as SVG, picture sheets, and the frame of every page. They know no analysis."""
