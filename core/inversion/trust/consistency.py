"""Measure latent editing consistency: does an edit come back where it began, through a picture?

    c0  code of a picture          c1  code found for the picture of c0 + k n          gap = |c1 - k n - c0|
    repeat = |code found for the picture of c0 - c0|, the same without an edit

Both are root mean squares over the entries of a code, in standard deviations of each entry. `repeat` is what
finding a code costs by itself; what `gap` has beyond it is due to the edit.

Source: Tov, Alaluf, Nitzan, Patashnik and Cohen-Or, "Designing an Encoder for StyleGAN Image Manipulation",
ACM Transactions on Graphics 40, 2021 (LEC). There it is a squared norm in units of w.

Shapes: N pictures, L layers, D code size.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ...statistics import bootstrap_means, bootstrap_weights, interval
from .faithfulness import RESAMPLINGS, Compared

Floats = NDArray[np.float64]
TRIMMED = 0.01  # share of the pictures that is left out at either end

Reinvert = Callable[[Tensor], Tensor]  # codes (N, L, D) -> codes found for their pictures


@dataclass(frozen=True)
class Consistency:
    """Hold the consistency of edits along one boundary.

    Attributes:
        gap: mean over pictures of the way from the code after edit, picture and return to the code before.
        repeat: the same without an edit.
        pictures: number of pictures.
    """

    gap: Compared
    repeat: Compared
    pictures: int


def consistency(
    codes: Tensor, moved: Tensor, reinvert: Reinvert, sd: Tensor, repeat: Floats, seed: int = 0
) -> Consistency:
    """Return the consistency of one edit.

    Args:
        codes: codes of the pictures, (N, L, D).
        moved: the same after the edit, (N, L, D).
        reinvert: finds codes for the pictures of codes.
        sd: standard deviation of each entry of samples' codes, (L, D).
        repeat: from `apart` without an edit, (N,).
        seed: seed of the resamplings.
    """
    back = reinvert(moved) - (moved - codes)
    gap = apart(back, codes, sd)
    return Consistency(_trimmed(gap, seed), _trimmed(repeat, seed), len(codes))


def apart(one: Tensor, other: Tensor, sd: Tensor) -> Floats:
    """Return the root mean squared difference of codes (N, L, D) in units of sd (L, D), as (N,).

    Entries in which samples do not vary are left out.
    """
    varies = sd > 0.0
    difference = (one - other).double() / sd.double().where(varies, 1.0)
    squares = difference.square() * varies
    return np.asarray((squares.flatten(1).sum(dim=1) / varies.sum()).sqrt().cpu().numpy())


def _trimmed(values: Floats, seed: int) -> Compared:
    """Return the mean without the outermost TRIMMED of the pictures at either end, with its interval."""
    drop = int(TRIMMED * len(values))
    kept = np.sort(values)[drop : len(values) - drop]
    low, high = interval(bootstrap_means(kept, bootstrap_weights(len(kept), RESAMPLINGS, seed)))
    return Compared(float(kept.mean()), max(float(low), 0.0), float(high))  # a distance is never below 0
