"""Draw figures as SVG, picture sheets, and the frame of every page, without knowing what they show."""
