"""Learn a linear boundary for every concept that varies from its scores (method A.2 to A.4)."""
