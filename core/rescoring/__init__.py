"""Re-score: move fresh samples along every boundary, layer by layer, and score them again (method B)."""
