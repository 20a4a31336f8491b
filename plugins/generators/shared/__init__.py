"""What several generator plugins have in common: reading other people's tensor names, classes, noise, truncation."""
