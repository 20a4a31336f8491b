"""Draw random directions, the baseline of all methods without labels."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ...core.plugins.generator import Generator
from ...core.randomness import Stream, Use, normals
from ...core.storage.rows import Rows
from .unlabelled import Direction, Settings, UnlabelledLearner


class Random(UnlabelledLearner):
    """Draw directions uniformly from the unit sphere: normal variables, divided by their length.

    Whatever a method finds has to be compared with these. They are of another stream than the null directions
    of re-scoring, so a direction gets a name only by chance.

    Source: the random directions of GANSpace (Härkönen et al. 2020), drawn for comparison too.
    """

    class Config(Settings):
        """Set how many are drawn; there may be more than dimensions."""

    config: Config
    from_samples = False
    method = "random"

    def find(self, generator: Generator, latents: Rows, seed: int) -> Iterator[Direction]:
        """Return the directions; the first ones are the same whatever their number."""
        size = generator.card.code_size
        for i in range(self.config.directions):
            vector = normals(seed, Stream.LEARNING, Use.LATENT, range(i, i + 1), size)[0]  # (D,)
            yield Direction(str(i), vector.astype(np.float64), {})
