"""Hold what plugins of several families share."""
