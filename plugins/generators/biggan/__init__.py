"""Run BigGAN and BigGAN-deep as stacks of strata."""
