"""Take the named codes of a generator's prior as directions (InfoGAN)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ...core.errors import DataError
from ...core.plugins.generator import Generator
from ...core.plugins.prior_codes import PriorCode
from ...core.storage.rows import Rows
from .unlabelled import Direction, UnlabelledLearner


class InfoGan(UnlabelledLearner):
    """Take one direction per number of a continuous code, and one per category of a categorical code.

    Nothing is searched: the network was trained to keep these coordinates of z readable in its pictures. A
    number has the axis of its coordinate. Category k of K has e_k - sum over the others of e_j / (K - 1), the
    way from the mean of the other categories to its own.

    Source: Chen et al., "InfoGAN: interpretable representation learning by information maximizing generative
    adversarial nets", 2016. There, codes are set to chosen values; here pictures are moved along them, so a
    categorical code passes values that training never saw.
    """

    from_samples = False
    method = "infogan"

    def check_generator(self, generator: Generator) -> None:
        """Refuse a generator without named codes, or with a mapping network.

        Raises:
            DataError: it names none, or its codes are not z.
            LayerError: a layer does not exist.
        """
        super().check_generator(generator)
        family = generator.card.family
        if not generator.prior_codes:
            raise DataError(
                f"this generator ({family}) names no codes of its prior, as an InfoGAN has them; name them "
                "in Generator.prior_codes, or learn with pca or sefa"
            )
        if generator.space != "z":
            raise DataError(
                f"this generator ({family}) maps z to {generator.space}, where a code of z is not a "
                "direction; infogan needs a generator whose codes are z"
            )

    def find(self, generator: Generator, latents: Rows, seed: int) -> Iterator[Direction]:
        """Return the directions of every code, in the order of the codes."""
        for code in generator.prior_codes:
            for name, block in _directions(code):
                vector = np.zeros(generator.card.code_size)
                vector[code.start : code.stop] = block
                yield Direction(name, vector, {"code": code.name, "categorical": code.categorical})


def _directions(code: PriorCode) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Yield the name and the block (width,) of every direction of a code."""
    axes = np.eye(code.width)
    for k, axis in enumerate(axes):
        name = code.name if code.width == 1 else f"{code.name}/{k}"
        yield name, axis - (1.0 - axis) / (code.width - 1) if code.categorical else axis
