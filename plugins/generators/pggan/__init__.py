"""Run ProgressiveGAN as a stack of strata."""
