"""A linear generator of known factors, which may be correlated, judges that read them, and known directions.

Picture = 0.5 + GAIN * sum_i c_i * PATTERNS[i], where c_i is entry i of the code of layer i. The patterns are
orthonormal, so a step of one along axis i changes factor i by one, no other factor, and the picture by GAIN
in Euclidean distance. Axes from FACTORS on change nothing. w is normal with variance 1 on every axis; any two
factors have the correlation that the config says. The fixture `planted` of conftest.py makes it all plugins.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

import ganstrata
import numpy as np
import torch
from ganstrata import Concept, Inputs, ModelCard, PluginConfig, Rendering, State, Stratum
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

NAMES = ("one", "two", "three", "four")
FACTORS = len(NAMES)  # also L: factor i acts at layer i alone
WIDTH = 12  # D
SIZE = 8  # pixels
GAIN = 0.1


def _patterns() -> Tensor:
    y, x = torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing="ij")
    shapes = torch.stack([x < SIZE // 2, y < SIZE // 2, x % 2 == 0, y % 2 == 0])
    grey = (2.0 * shapes.float() - 1.0)[:, None].expand(-1, 3, -1, -1)
    return grey / np.sqrt(3.0 * SIZE * SIZE)


PATTERNS = _patterns()
"""What a factor adds to a picture, (FACTORS, 3, SIZE, SIZE), orthonormal."""


def covariance(correlation: float) -> NDArray[np.float64]:
    """Covariance of w, (WIDTH, WIDTH)."""
    matrix = np.eye(WIDTH)
    matrix[:FACTORS, :FACTORS] += correlation * (1.0 - np.eye(FACTORS))
    return matrix


class Factors(ganstrata.Generator):
    """Layer i adds factor i."""

    class Config(PluginConfig):
        """How the factors depend on each other."""

        correlation: float = Field(default=0.0, ge=0.0, lt=1.0, description="of any two factors")

    config: Config

    def __init__(self, config: Config, device: torch.device) -> None:
        super().__init__(config, device)
        self.card = ModelCard("planted", resolution=SIZE, layers=FACTORS, code_size=WIDTH, latent_size=WIDTH)
        self.strata = tuple(Stratum(f"s{i}", i, SIZE) for i in range(FACTORS))
        root = np.linalg.cholesky(covariance(config.correlation))
        self.root = torch.from_numpy(root.astype(np.float32)).to(device)

    def map(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        """W with the planted covariance."""
        return z @ self.root.T

    def begin(self, inputs: Inputs) -> State:
        """Grey."""
        return State(torch.full((inputs.n, 3, SIZE, SIZE), 0.5))

    def stratum(self, s: int, state: State, code: Tensor | None, style: Tensor | None = None) -> State:
        """Add factor s."""
        assert code is not None
        assert state.x is not None
        return State(state.x + GAIN * code[:, s, None, None, None] * PATTERNS[s])

    def finish(self, state: State) -> Tensor:
        """The picture."""
        assert state.x is not None
        return state.x


class Judge(ganstrata.Scorer):
    """Reads the factors off a picture, rightly or not."""

    class Config(PluginConfig):
        """What is wrong with the judge."""

        noise: float = Field(default=0.0, ge=0.0, description="sd of an error that depends on the picture")
        inverted: tuple[str, ...] = Field(default=(), description="factors that it reads the wrong way round")
        salt: str = Field(default="", description="judges of other salts make other errors")

    config: Config
    concepts = tuple(Concept(name, "attribute", threshold=0.0) for name in NAMES)

    def score(self, rendering: Rendering) -> Tensor:
        """(N, FACTORS), as w has them."""
        values = (rendering.images - 0.5).flatten(1) @ PATTERNS.flatten(1).T / GAIN
        signs = torch.tensor([-1.0 if name in self.config.inverted else 1.0 for name in NAMES])
        return signs * values + self.config.noise * self._errors(values)

    def _errors(self, values: Tensor) -> Tensor:
        """Errors (N, FACTORS) of mean 0 and variance 1 that no direction changes on average."""
        rng = np.random.default_rng(zlib.crc32(self.config.salt.encode()))
        turns = torch.from_numpy(rng.normal(0.0, 40.0, (FACTORS, FACTORS)).astype(np.float32))
        return np.sqrt(2.0) * torch.sin(values @ turns)


class Truth(ganstrata.BoundaryLearner):
    """The planted direction of each concept that ends in a factor's name, or one that leans away from it."""

    class Config(PluginConfig):
        """How far from the truth."""

        idle: float = Field(default=0.0, description="degrees towards an axis that changes nothing")
        leak: float = Field(default=0.0, description="degrees towards the next factor")

    config: Config

    def learn(
        self,
        latents: NDArray[np.float32],
        scores: NDArray[np.float32],
        concepts: Sequence[Concept],
        *,
        generator: ganstrata.Generator | None = None,
        seed: int = 0,
    ) -> ganstrata.Boundaries:
        """One boundary per concept, through the origin."""
        return ganstrata.Boundaries(
            ganstrata.boundary_of(concept, self._normal(concept), 0.0, generator, {}) for concept in concepts
        )

    def _normal(self, concept: Concept) -> NDArray[np.float64]:
        i, axes = NAMES.index(concept.name.rpartition("/")[2]), np.eye(WIDTH)
        idle, leak = np.deg2rad(self.config.idle), np.deg2rad(self.config.leak)
        leaning = np.cos(leak) * axes[i] + np.sin(leak) * axes[(i + 1) % FACTORS]
        return np.asarray(np.cos(idle) * leaning + np.sin(idle) * axes[FACTORS + i])


def config(*, correlation: float = 0.0, judges: Sequence[dict[str, Any]] = ({},)) -> dict[str, Any]:
    """Config of a small run; the judges are called a, b, ... and have these options."""
    return {
        "generator": {"use": "planted_factors", "with": {"correlation": correlation}},
        "scorers": [
            {"use": "planted_judge", "as": chr(ord("a") + i), **({"with": options} if options else {})}
            for i, options in enumerate(judges)
        ],
        "boundary": {"use": "planted_truth"},
        "synthesis": {"samples": 400, "seed": 0, "batch_size": 100},
        "rescoring": {"samples": 50, "null_directions": 12, "bootstrap": 200, "layers": ["all"]},
        "device": "cpu",
        "engine": {"workers": 1},
        "checks": False,
    }
