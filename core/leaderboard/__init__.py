"""Compare boundary learners on the same samples, with intervals and what random directions reach."""
