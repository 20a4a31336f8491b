"""Run the generator of StyleGAN-T as a stack of strata, without its text encoder."""
