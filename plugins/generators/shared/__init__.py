"""Hold what several generators share: tensor names of other libraries, classes, noise, truncation."""
