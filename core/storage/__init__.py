"""Storage: files written in one step, names of files, CSV, arrays in pieces, and folders of results."""
