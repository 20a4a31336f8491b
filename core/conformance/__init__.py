"""Check that plugins satisfy their contracts: their declarations, pictures, scores and boundaries."""
