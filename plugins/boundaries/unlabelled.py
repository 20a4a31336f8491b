"""Hold what learners of directions without labels share: how many they find, and which layers these move."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ...core.errors import DataError
from ...core.messages import quantity
from ...core.plugins.base import PluginConfig
from ...core.plugins.boundary import Boundaries, Boundary
from ...core.plugins.generator import Generator
from ...core.storage.rows import Rows
from ...core.strata.layers import parse_layers
from .asked import Asked, LearnerWithoutLabels

ALL = "all"


class Layers(PluginConfig):
    """Set which layers the directions move."""

    layers: str = Field(
        default=ALL,
        examples=["0-1"],
        description="layers that the directions move: `all`, or numbers such as `0-1` or `0,2,5-7`",
    )


class Settings(Layers):
    """Set how many directions are found, and which layers they move."""

    directions: int = Field(default=10, ge=1, le=100_000, description="number of directions")


class Direction(NamedTuple):
    """Hold a direction as a learner finds it; vector.w + offset is the signed distance up to a factor."""

    name: str  # without the name of the method
    vector: NDArray[np.float64]  # (D,), of any length but 0
    facts: Mapping[str, Any]
    offset: float = 0.0


class DirectionLearner(LearnerWithoutLabels):
    """Move directions at chosen layers, under names of one method.

    Attributes:
        method: first part of the names of the directions, as in `sefa/0`.
    """

    Config = Layers
    config: Layers
    method: str = ""

    def check_generator(self, generator: Generator) -> None:
        """Refuse a generator without the layers of the config.

        Raises:
            LayerError: a layer does not exist.
            DataError: the generator does not fit the method.
        """
        self.chosen_layers(generator)

    def chosen_layers(self, generator: Generator) -> tuple[int, ...]:
        """Return the layers of the config.

        Raises:
            LayerError: the text is not a set of layers of this generator.
        """
        count = generator.card.layers
        return tuple(range(count)) if self.config.layers == ALL else parse_layers(self.config.layers, count)

    def boundaries(self, generator: Generator, found: Iterable[Direction]) -> Boundaries:
        """Return directions as boundaries that move the chosen layers."""
        chosen = self.chosen_layers(generator)
        layers = None if len(chosen) == generator.card.layers else chosen
        return Boundaries(
            Boundary.unlabelled(
                f"{self.method}/{direction.name}",
                direction.vector,
                generator,
                offset=direction.offset,
                layers=layers,
                facts=direction.facts,
            )
            for direction in found
        )


class UnlabelledLearner(DirectionLearner):
    """Find directions without labels; subclasses implement `find`."""

    in_blocks = True

    def expected(self, concepts: int) -> int:
        """Return the number of directions in the config; one per concept if it names none."""
        return self.config.directions if isinstance(self.config, Settings) else concepts

    def found(self, asked: Asked) -> Boundaries:
        """Return the directions; scores and concepts are not used."""
        return self.boundaries(asked.generator, self.find(asked.generator, asked.latents, asked.seed))

    @abstractmethod
    def find(self, generator: Generator, latents: Rows, seed: int) -> Iterable[Direction]:
        """Return the directions, the most important first.

        Args:
            generator: the generator.
            latents: codes (N, D), a table of rows.
            seed: seed of what the method draws.
        """


def check_dimensions(directions: int, generator: Generator) -> None:
    """Refuse more directions than the codes of a generator have dimensions.

    Raises:
        DataError: there are more.
    """
    size = generator.card.code_size
    if directions > size:
        raise DataError(
            f"directions: {directions} are asked for, but codes of this generator have "
            f"{quantity(size, 'dimension')}; ask for at most {size}"
        )
