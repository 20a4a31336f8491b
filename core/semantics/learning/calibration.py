"""Scale logits so that their softmax gives probabilities that fit: solutions in closed form do not.

LDA takes neighbouring channels for independent evidence and is far too sure. Ridge aims at 0 and 1, and is
far too unsure. The class of a pixel does not depend on the scale, but cross-entropies, gradients and
uncertainties do. A single number, as here, leaves every decision as it is.

Source: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, section 4.2 (temperature scaling).
Shapes: P pixels, M classes.
"""

from __future__ import annotations

import math

import torch.nn.functional as F
from torch import Tensor

RANGE = (1e-6, 1e6)  # of the scale
SEARCHES = 48  # each shrinks the range of its logarithm to 0.618 of the one before


def best_scale(logits: Tensor, labels: Tensor, weight: Tensor) -> float:
    """Return the scale s > 0 that minimises the weighted mean cross-entropy of s * logits.

    The cross-entropy is convex in s, so a search by the golden section finds the minimum.

    Args:
        logits: (P, M).
        labels: class of each pixel (P,).
        weight: weight of each pixel (P,), 0 or more.

    >>> import torch
    >>> truth = torch.tensor([0, 0, 0, 1])  # three of four are right, so logits of log 3 apart fit
    >>> logits = torch.tensor([[7.0, 0.0]] * 4)
    >>> abs(7.0 * best_scale(logits, truth, torch.ones(4)) - math.log(3.0)) < 1e-3
    True
    """
    logits = logits - logits.amax(dim=1, keepdim=True)  # so that large scales do not overflow

    def loss(logarithm: float) -> float:
        each = F.cross_entropy(logits * math.exp(logarithm), labels, reduction="none")
        return float((each.double() * weight).sum())

    golden = (math.sqrt(5.0) - 1.0) / 2.0
    low, high = (math.log(end) for end in RANGE)
    left, right = high - golden * (high - low), low + golden * (high - low)
    at_left, at_right = loss(left), loss(right)
    for _ in range(SEARCHES):
        if at_left <= at_right:
            high, right, at_right = right, left, at_left
            left = high - golden * (high - low)
            at_left = loss(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + golden * (high - low)
            at_right = loss(right)
    return math.exp((low + high) / 2.0)
