"""Run StyleGAN as a stack of strata."""
