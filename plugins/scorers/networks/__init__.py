"""Build the networks of published scorers from the shapes in their checkpoints."""
