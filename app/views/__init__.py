"""Answer what each view of the page asks; the science is in the core."""
