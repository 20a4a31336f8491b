"""Networks of published scorers, read off the shapes of their checkpoints."""
