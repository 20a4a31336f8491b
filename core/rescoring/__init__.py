"""Re-scoring: move fresh samples along every boundary, layer by layer, and score again (method B)."""
