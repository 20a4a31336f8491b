"""Find out which units of a generator's feature maps detect which concept, and prove it by setting them."""
