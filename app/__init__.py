"""Serve the page on which people look at a finished run, edit its pictures, and take edits home."""
