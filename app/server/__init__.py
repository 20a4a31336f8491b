"""Speak to browsers: routes, the socket of a tab, and who is let in."""
