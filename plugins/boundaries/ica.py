"""Take the independent components of codes as directions."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from pydantic import Field

from ...core.plugins.generator import Generator
from ...core.storage.rows import Rows, blocks
from .independent import Whitened, separate
from .pca import check_samples, components
from .spectrum import Moments
from .unlabelled import Direction, Settings, UnlabelledLearner, check_dimensions


class Ica(UnlabelledLearner):
    """Find the directions along which codes are mixed from independent, not normal sources.

    With w = mean + A s, the sources s independent of each other and of variance 1, the directions are the
    columns of A: along one of them only its own source changes. Codes are first reduced to their `directions`
    principal components. Sources that are normal cannot be told apart.

    Source: FastICA (Hyvärinen and Oja, 2000) in place of the PCA of GANSpace, as in "Exploring semantic
    variations in GAN latent spaces via matrix factorization", 2023 (arXiv 2305.14551).
    It differs in two ways: codes w alone are decomposed, and directions are columns of the mixing matrix
    and not rows of its inverse. They come in the order of their length, the standard deviation of the codes
    due to their source. All samples of the run are used, and read block by block.
    """

    class Config(Settings):
        """Set the directions, and when the solver stops."""

        max_iterations: int = Field(default=400, ge=1, le=100_000, description="limit on iterations")
        tolerance: float = Field(
            default=1e-4, gt=0.0, le=1.0, description="change of a direction below which it has converged"
        )

    config: Config
    method = "ica"

    def check(self, samples: int) -> None:
        """Refuse fewer samples than directions.

        Raises:
            DataError: there are too few.
        """
        check_samples(self.config.directions, samples)

    def check_generator(self, generator: Generator) -> None:
        """Refuse a generator without the layers of the config, or with fewer dimensions than directions.

        Raises:
            LayerError: a layer does not exist.
            DataError: there are more directions than dimensions.
        """
        super().check_generator(generator)
        check_dimensions(self.config.directions, generator)

    def find(self, generator: Generator, latents: Rows, seed: int) -> Iterator[Direction]:
        """Return the columns of the mixing matrix, with standard deviation and excess kurtosis of the source.

        Raises:
            DataError: codes vary in fewer directions than are asked for.
        """
        moments, count = Moments(latents.shape[1]), self.config.directions
        for _, (block,) in blocks(latents):
            moments.add(block)
        values, vectors = components(moments, count)
        # Signs as scikit-learn chooses them, so that a seed means the same rotation to begin with.
        vectors = vectors[:count] * np.where(vectors[:count, :1] < 0.0, -1.0, 1.0)
        sd = np.sqrt(values[:count] * ((moments.count - 1) / moments.count))  # (K,)
        found = separate(
            Whitened(latents, moments.mean, vectors / sd[:, None]),
            max_iterations=self.config.max_iterations,
            tolerance=self.config.tolerance,
            seed=seed,
        )
        mixing = (vectors.T * sd) @ found.rotation.T  # (D, K)
        lengths = np.linalg.norm(mixing, axis=0)
        for i, k in enumerate(np.argsort(-lengths)):
            unit = mixing[:, k] / lengths[k]
            facts = {
                "sd": float(lengths[k]),
                "kurtosis": float(found.kurtosis[k]),
                "iterations": found.iterations,
                "converged": found.converged,
            }
            yield Direction(str(i), unit, facts, -float(moments.mean @ unit))
