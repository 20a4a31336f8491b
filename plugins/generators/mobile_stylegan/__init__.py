"""Run MobileStyleGAN as a stack of strata."""
