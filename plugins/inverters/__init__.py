"""Built-in inverters: steps that find codes whose pictures look like given ones."""
