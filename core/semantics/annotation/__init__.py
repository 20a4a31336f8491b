"""Let people paint classes on pictures, read what they painted, and choose what to paint next."""
