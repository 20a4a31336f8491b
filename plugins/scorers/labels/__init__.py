"""Hold the class names of published networks, in the order of their outputs."""
