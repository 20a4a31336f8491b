"""Run lucidrains' lightweight-gan as a stack of strata."""
