"""Make pictures between pictures, and of parts of several pictures: interpolation, mixing, diffusion."""
