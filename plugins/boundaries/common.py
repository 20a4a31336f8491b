"""What the built-in learners share: their settings, and a boundary for each concept, or for each concept and layer."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from sklearn.exceptions import ConvergenceWarning

from ...core.boundaries.hyperplane import boundary_of, normalise_hyperplane
from ...core.boundaries.selection import Extremes, Selection, accuracy
from ...core.errors import DataError
from ...core.plugins.contracts import BoundaryLearner, Generator
from ...core.plugins.failures import one_line
from ...core.plugins.records import Boundaries, Concept

Facts = dict[str, Any]
TOGETHER = 16  # boundaries judged in one pass over all codes


class Settings(Extremes):
    """Which samples are extreme, and for how many layers at once a boundary stands."""

    per_layer: bool = Field(
        default=False,
        description="a boundary for each layer, from style-mixed codes; needs `synthesis.mixing` above 0",
    )


class Hyperplane(NamedTuple):
    """What a linear machine found: positive where coefficients.w + intercept is."""

    coefficients: NDArray[np.float64]  # (D,)
    intercept: float
    facts: Facts


class LinearFit(NamedTuple):
    """A boundary's half: unit normal, signed distance of the origin, and how well it does."""

    normal: NDArray[np.float64]  # (D,)
    offset: float
    facts: Facts


@dataclass(frozen=True)
class Samples:
    """What a learner is given."""

    latents: NDArray[np.float32]  # (N, L, D); L = 1 for one boundary for all layers
    scores: NDArray[np.float32]  # (N, C)
    concepts: Sequence[Concept]
    settings: Settings
    seed: int
    classes: NDArray[np.int64] | None  # (N,)

    def layer(self, index: int) -> NDArray[np.float32]:
        """Codes of one layer, (N, D)."""
        return self.latents[:, index]

    @property
    def layers(self) -> range:
        """Numbers of the layers."""
        return range(self.latents.shape[1])


class Learner(BoundaryLearner):
    """A learner that finds a normal and an offset for each concept and layer; how, is left to find()."""

    Config = Settings
    config: Settings
    within_classes = True

    def __init__(self, config: Settings, device: torch.device) -> None:
        super().__init__(config, device)
        self.layerwise = self.layerwise or config.per_layer

    def check(self, samples: int) -> None:
        """Refuse a run whose samples cannot supply the positives and negatives."""
        self.config.check(samples)

    def learn(
        self,
        latents: NDArray[np.float32],
        scores: NDArray[np.float32],
        concepts: Sequence[Concept],
        *,
        generator: Generator | None = None,
        seed: int = 0,
        classes: NDArray[np.int64] | None = None,
    ) -> Boundaries:
        """A boundary per concept from latents (N, D) or (N, L, D), scores (N, C) and classes (N,) if there are any.

        With (N, L, D) each boundary has a unit normal and an offset for every layer, learnt from that
        layer's codes alone, and `facts` has a list of them under `layers`.

        Raises:
            DataError: too few samples for the positives and negatives, scores that do not vary, codes that are not finite, or so
                large or so much alike that no direction can be computed from them.
        """
        if not np.isfinite(latents).all():
            raise DataError("the codes to learn from hold NaN or infinity")
        flat = latents.ndim == 2
        samples = Samples(latents[:, None] if flat else latents, scores, concepts, self.config, seed, classes)
        try:
            found = list(self.find(samples))
        except (np.linalg.LinAlgError, torch.linalg.LinAlgError) as error:  # type: ignore[attr-defined]
            size = float(np.abs(latents).max(initial=0.0))
            raise DataError(
                f"the equations of the learner cannot be solved in double precision ({one_line(error)}); codes go up to {size:.3g}. "
                "A smaller weight of errors, or codes of another scale, may help"
            ) from error
        boundaries = []
        for concept, layers in zip(concepts, found, strict=True):
            normals, offsets, facts = zip(*layers, strict=True)
            if flat:
                boundaries.append(boundary_of(concept, normals[0], offsets[0], generator, facts[0]))
            else:
                boundaries.append(
                    boundary_of(
                        concept, np.stack(normals), np.array(offsets), generator, {"layers": list(facts)}
                    )
                )
        return Boundaries(boundaries)

    @abstractmethod
    def find(self, samples: Samples) -> Iterable[Sequence[LinearFit]]:
        """For each concept what was found at each layer."""


def evaluated(
    w: NDArray[np.float32],
    planes: Sequence[Hyperplane],
    selections: Sequence[Selection],
    concepts: Sequence[str],
) -> list[LinearFit]:
    """Planes of one layer as boundaries, with their accuracy on the held-out extremes and on the rest.

    Args:
        w: all codes of the layer, (N, D).
        planes: one per concept, in the coordinates of w.
        selections: the concepts'; what was fitted stands in their `train`.
        concepts: ids, for messages.
    """
    halves = [
        normalise_hyperplane(plane.coefficients, plane.intercept, concept=concept)
        for plane, concept in zip(planes, concepts, strict=True)
    ]
    normals = np.stack([normal for normal, _ in halves]).astype(np.float32)  # (C, D)
    found = []
    for start in range(0, len(halves), TOGETHER):
        # Always as many columns, so that rounding does not depend on how many concepts there are.
        block = np.zeros((w.shape[1], TOGETHER), dtype=np.float32)
        block[:, : len(halves) - start] = normals[start : start + TOGETHER].T
        products = w @ block  # (N, TOGETHER)
        for k, selection in enumerate(selections[start : start + TOGETHER]):
            normal, offset = halves[start + k]
            facts = _facts(products[:, k] + np.float32(offset), selection)
            found.append(LinearFit(normal, offset, facts | planes[start + k].facts))
    return found


def _facts(distances: NDArray[np.float32], selection: Selection) -> Facts:
    """What a selection says of a boundary with these distances (N,)."""
    return {
        "positives": int((selection.train_labels == 1).sum() + (selection.held_out_labels == 1).sum()),
        "negatives": int((selection.train_labels == 0).sum() + (selection.held_out_labels == 0).sum()),
        "positives_asked": selection.asked[0],
        "negatives_asked": selection.asked[1],
        "held_out": len(selection.held_out),
        "held_out_accuracy": accuracy(distances[selection.held_out], selection.held_out_labels),
        "rest_accuracy": accuracy(distances[selection.rest], selection.rest_labels),
    }


@contextmanager
def convergence() -> Iterator[Facts]:
    """Facts that say after the block whether a scikit-learn estimator converged in it; other warnings pass."""
    facts: Facts = {}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        yield facts
    facts["converged"] = not any(issubclass(warning.category, ConvergenceWarning) for warning in caught)
    for warning in caught:
        if not issubclass(warning.category, ConvergenceWarning):
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
