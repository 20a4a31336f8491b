"""Run the stages in order, and analyses of finished runs."""
