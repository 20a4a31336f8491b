"""Reads configs: text to plain data within limits, `--set`, and what is wrong with them in words."""
