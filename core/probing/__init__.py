"""Sample latents, synthesise images, score them (method A.1)."""
