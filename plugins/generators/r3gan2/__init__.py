"""Run R3GAN2 as a stack of strata."""
