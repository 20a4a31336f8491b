"""Configs: what they may say, read from text within limits, and what is wrong with them in words."""
