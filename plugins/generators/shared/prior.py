"""Draw from BigGAN's truncated prior (Brock et al. 2019, section 3.1)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ....core.randomness import Stream, Use, inverse_normal, uniforms

BOUND = 2.0
_BELOW = 0.022750131948179207  # Phi(-BOUND), with Phi the standard normal distribution function


def truncated_normals(
    seed: int, stream: Stream, samples: range, count: int, scale: float = 1.0
) -> NDArray[np.float32]:
    """Draw z (n, count) from a normal distribution truncated to [-2, 2], times `scale`; a row per sample.

    z = scale * Phi^-1(Phi(-2) + u (Phi(2) - Phi(-2))), with u uniform in (0, 1) and Phi the standard normal
    distribution function. The bytes are the same on any machine, because no step of the computation depends
    on it.

    >>> z = truncated_normals(0, Stream.PROBING, range(3, 5), 2, scale=0.5)
    >>> bool((abs(z) <= 1.0).all())
    True
    >>> bool((truncated_normals(0, Stream.PROBING, range(4, 5), 2, scale=0.5) == z[1]).all())
    True
    """
    draws = np.empty((len(samples), count))
    for row, sample in zip(draws, samples, strict=True):
        row[:] = uniforms(seed, stream, Use.LATENT, sample, count)
    probabilities = draws * (1.0 - 2.0 * _BELOW) + _BELOW  # (n, count), in (Phi(-2), Phi(2))
    return (inverse_normal(probabilities).clip(-BOUND, BOUND) * scale).astype(np.float32)
