"""Run R3GAN as a stack of strata."""
