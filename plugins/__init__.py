"""The built-in plugins, which come in by the same door as everybody else's."""
