"""Scale logits so that their softmax gives probabilities that fit: solutions in closed form do not.

LDA takes the features of all classes for normal, with one shared covariance. Those of real pixels have a
spread that differs from class to class, and long tails, so LDA is far too sure. Ridge aims at 0 and 1, and is
far too unsure. The class of a pixel does not depend on the scale, but cross-entropies, gradients and
uncertainties do. A single number, as here, leaves every decision as it is.

Source: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, section 4.2 (temperature scaling).
Shapes: P pixels, M classes.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

RANGE = (1e-6, 1e6)  # of the scale
SEARCHES = 48  # each shrinks the range of its logarithm to 0.618 of the one before


def best_scale(logits: Tensor, labels: Tensor, weight: Tensor) -> float:
    """Return the scale s > 0 that minimises the weighted mean cross-entropy of s * logits.

    The cross-entropy is convex in s, so a search by the golden section finds the minimum. Where all labels
    are right, plain cross-entropy would want an infinite scale. So labels are taken to be wrong with a chance
    of 1 / (P + 2), and then to be any class, much as in Platt, "Probabilistic outputs for support vector
    machines", 1999.

    Args:
        logits: (P, M); -inf where a class cannot be, which is not a label.
        labels: class of each pixel (P,).
        weight: weight of each pixel (P,), 0 or more.

    >>> truth = torch.tensor([0, 0, 0, 1] * 5000)  # three of four are right, so logits of log 3 apart fit
    >>> logits = torch.tensor([[7.0, 0.0]] * 20_000)
    >>> abs(7.0 * best_scale(logits, truth, torch.ones(20_000)) - math.log(3.0)) < 1e-3
    True
    """
    logits = logits - logits.amax(dim=1, keepdim=True)  # so that large scales do not overflow
    possible = torch.isfinite(logits)
    chance = possible.float() / possible.sum(dim=1, keepdim=True) / (len(labels) + 2)
    target = chance.scatter_add(1, labels[:, None], 1.0 - chance.sum(dim=1, keepdim=True))

    def loss(logarithm: float) -> float:
        log = F.log_softmax(logits * math.exp(logarithm), dim=1).masked_fill(~possible, 0.0)
        return float(-((log * target).sum(1).double() * weight).sum())

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
