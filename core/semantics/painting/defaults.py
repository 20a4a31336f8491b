"""Name the defaults of editing and sampling by painting, for the library and the command line alike.

Nothing is imported here, because the help of commands must be quick.
"""

from __future__ import annotations

EMPHASIS = 0.3  # weight of the painted pixels; with 0, as in the paper, small strokes hardly count
CANDIDATES = 10  # samples from which the start of a picture is chosen
TARGETS = 20  # masks of an agreement
PICTURES = 5  # pictures for each of them
