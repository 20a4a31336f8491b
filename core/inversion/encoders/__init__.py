"""Train networks that answer a picture with codes at once, store them, and read those of others."""
