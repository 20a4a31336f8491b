"""Run FastGAN as a stack of strata."""
