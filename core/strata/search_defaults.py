"""Name the defaults of a search of codes, and import nothing: the help of commands must be quick."""

from __future__ import annotations

STEPS = 50  # of Adam
LEARNING_RATE = 0.03  # of Adam; 0.01 in the code of Xu & Zheng
LEARNING_RATE_OF_PICTURES = 0.1  # per layer, where what is followed sees the picture and no feature maps
PENALTY = 1e-3  # weight of the squared distances from start and mean
