"""Measure how far an inverted picture can be trusted: its code, its edits, its warnings."""
