"""Draw from BigGAN's truncated prior (Brock et al. 2019, section 3.1)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ....core.randomness import Stream, Use, inverse_normal, uniforms

BOUND = 2.0
_BELOW = 0.022750131948179207  # the standard normal distribution function at -BOUND


def truncated_normals(
    seed: int, stream: Stream, samples: range, count: int, scale: float = 1.0
) -> NDArray[np.float32]:
    """Draw normal variables within [-2, 2], times `scale`: (len(samples), count), a row per sample.

    z = scale * Phi^-1(Phi(-2) + u (Phi(2) - Phi(-2))), with u uniform and Phi the normal distribution
    function. Only arithmetic that is exact everywhere is used, so the bytes are the same on any machine.

    >>> z = truncated_normals(0, Stream.PROBING, range(3, 5), 2, scale=0.5)
    >>> bool((abs(z) <= 1.0).all())
    True
    >>> bool((truncated_normals(0, Stream.PROBING, range(4, 5), 2, scale=0.5) == z[1]).all())
    True
    """
    rows = np.empty((len(samples), count))
    for row, sample in zip(rows, samples, strict=True):
        row[:] = uniforms(seed, stream, Use.LATENT, sample, count)
    within = rows * (1.0 - 2.0 * _BELOW) + _BELOW
    return (inverse_normal(within).clip(-BOUND, BOUND) * scale).astype(np.float32)
