"""Read segmentations off a generator's feature maps (linear semantics), and edit pictures through them."""
