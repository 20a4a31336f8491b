"""Run StyleGAN3 as a stack of strata."""
