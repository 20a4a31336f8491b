"""Run the StyleGAN2 of lucidrains' stylegan2-pytorch as a stack of strata."""
