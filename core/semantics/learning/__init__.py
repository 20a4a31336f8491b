"""Train extractors: by gradient descent, in closed form, or from a few annotated pictures."""
