"""Run StyleGAN2 as a stack of strata."""
