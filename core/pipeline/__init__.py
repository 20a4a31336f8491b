"""The pipeline: stages in order, and analyses of finished runs, from a config or a question to files."""
