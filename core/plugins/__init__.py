"""Define the contracts of generators, scorers and boundary learners; discover, load and call plugins."""
