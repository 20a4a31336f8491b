"""Write and read files: atomic writes, file names, CSV, arrays in shards, and folders of results."""
