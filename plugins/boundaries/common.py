"""Define the settings, the base class and the evaluation of the built-in learners."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple, TypedDict

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field

from ...core.boundaries.hyperplane import boundary_of
from ...core.boundaries.selection import Extremes
from ...core.errors import DataError
from ...core.plugins.boundary import Boundaries
from ...core.plugins.failures import one_line
from ...core.plugins.generator import Generator
from ...core.plugins.learner import BoundaryLearner
from ...core.plugins.records import Concept
from ...core.storage.rows import Rows, blocks


class Settings(Extremes):
    """Set which samples are extreme, and whether each layer has a boundary of its own."""

    per_layer: bool = Field(
        default=False,
        description="a boundary for each layer, from style-mixed codes; needs `synthesis.mixing` above 0",
    )


class Facts(TypedDict, total=False):
    """Hold the facts of a boundary as boundaries.json stores them; a learner gives those that it knows.

    Attributes:
        samples: number of samples that a regression fitted.
        samples_of: number of samples from which those were drawn, where a limit left some out.
        positives, negatives: number of samples selected as extremes, for training and held out.
        positives_asked, negatives_asked: number requested.
        held_out: number of held-out extremes.
        held_out_accuracy, rest_accuracy: share classified correctly of the held-out extremes, and of all
            samples that are no extremes; None without any.
        converged, iterations: whether the solver converged, and after how many iterations.
    """

    samples: int
    samples_of: int
    positives: int
    negatives: int
    positives_asked: int
    negatives_asked: int
    held_out: int
    held_out_accuracy: float | None
    rest_accuracy: float | None
    converged: bool
    iterations: int


class Hyperplane(NamedTuple):
    """Hold the plane coefficients.w + intercept = 0; positives lie where the sum is above 0."""

    coefficients: NDArray[np.float64]  # (D,), of any length
    intercept: float
    facts: Facts
    slope: NDArray[np.float64] | None = None  # (D,), of any length; None where it is the coefficients


class LinearFit(NamedTuple):
    """Hold the boundary of one concept at one layer: normal.w + offset is the signed distance of w."""

    normal: NDArray[np.float64]  # (D,), of length 1
    offset: float
    facts: Facts  # accuracies, counts, convergence
    slope: NDArray[np.float64] | None = None  # (D,), of length 1; None where it is the normal


class CodeRows:
    """Represent codes (N, D) or (N, L, D) as a table that is always by layer, and finite."""

    def __init__(self, latents: Rows) -> None:
        self._latents, self._flat = latents, len(latents.shape) == 2
        self.shape = (latents.shape[0], 1, latents.shape[1]) if self._flat else tuple(latents.shape)

    def __getitem__(self, rows: slice) -> NDArray[np.float32]:
        """Return the codes of consecutive samples, (n, L, D).

        Raises:
            DataError: they hold NaN or infinity.
        """
        block = self._latents[rows]
        if not np.isfinite(block).all():
            raise DataError("the codes to learn from hold NaN or infinity")
        return block[:, None] if self._flat else block


@dataclass(frozen=True)
class Samples:
    """Hold the arguments of `learn`, with the codes always by layer."""

    latents: CodeRows  # (N, L, D); L = 1 for one boundary for all layers
    scores: Rows  # (N, C)
    concepts: Sequence[Concept]
    settings: Settings
    seed: int
    classes: NDArray[np.int64] | None  # (N,)
    measured: bool  # whether accuracies are wanted

    def __len__(self) -> int:
        """Return N."""
        return self.scores.shape[0]

    @property
    def names(self) -> list[str]:
        """Names of the concepts."""
        return [concept.name for concept in self.concepts]

    @property
    def layers(self) -> range:
        """Indices of the layers, 0 .. L-1."""
        return range(self.latents.shape[1])


class Learner(BoundaryLearner):
    """Learn a normal and an offset for each concept and layer; subclasses implement `fit_concepts`."""

    Config = Settings
    config: Settings
    within_classes = True
    in_blocks = True

    def __init__(self, config: Settings, device: torch.device) -> None:
        super().__init__(config, device)
        self.layerwise = self.layerwise or config.per_layer

    def check(self, samples: int) -> None:
        """Check that a run of so many samples can supply the positives and negatives.

        Raises:
            DataError: it cannot.
        """
        self.config.check(samples)

    def learn(
        self,
        latents: Rows,
        scores: Rows,
        concepts: Sequence[Concept],
        *,
        generator: Generator | None = None,
        seed: int = 0,
        classes: NDArray[np.int64] | None = None,
        measured: bool = True,
    ) -> Boundaries:
        """Learn one boundary per concept.

        From codes (N, L, D) each boundary has a unit normal and an offset for every layer, learnt from the
        codes of that layer alone. Its `facts` then hold a list with the facts of each layer under `layers`.

        Args:
            latents: codes, (N, D), or (N, L, D) for a boundary per layer; an array or a table of rows.
            scores: (N, C), NaN where a concept is undefined.
            concepts: the C concepts.
            generator: source of the codes; its space and fingerprint are recorded.
            seed: of the split into training and held-out samples.
            classes: (N,), the classes that a conditional generator drew.
            measured: whether the accuracies of the boundaries are wanted.

        Raises:
            DataError: too few samples for the positives and negatives; scores that do not vary; codes that
                are not finite, or so large or so similar that no direction can be computed from them.
        """
        flat, codes = len(latents.shape) == 2, CodeRows(latents)
        samples = Samples(codes, scores, concepts, self.config, seed, classes, measured)
        try:
            fits = list(self.fit_concepts(samples))
        except (np.linalg.LinAlgError, torch.linalg.LinAlgError) as error:  # type: ignore[attr-defined]
            size = max(float(np.abs(block).max(initial=0.0)) for _, (block,) in blocks(codes))
            raise DataError(
                f"the equations of the learner cannot be solved in double precision ({one_line(error)}); "
                f"codes go up to {size:.3g}. A smaller weight of errors, or codes of another scale, may help"
            ) from error
        boundaries = []
        for concept, layers in zip(concepts, fits, strict=True):
            normals, offsets, facts, slopes = zip(*layers, strict=True)
            if flat:
                boundaries.append(
                    boundary_of(concept, normals[0], offsets[0], generator, facts[0], slopes[0])
                )
            else:
                boundaries.append(
                    boundary_of(
                        concept,
                        np.stack(normals),
                        np.array(offsets),
                        generator,
                        {"layers": list(facts)},
                        None if slopes[0] is None else np.stack(slopes),
                    )
                )
        return Boundaries(boundaries)

    @abstractmethod
    def fit_concepts(self, samples: Samples) -> Iterable[Sequence[LinearFit]]:
        """Return the fits of each concept, one per layer."""


@contextmanager
def record_convergence() -> Iterator[Facts]:
    """Record whether the scikit-learn estimator that is fitted in the block converges.

    Yields:
        A dictionary; after the block its key `converged` is False if the estimator gave a
        ConvergenceWarning. All other warnings are passed on.
    """
    from sklearn.exceptions import ConvergenceWarning  # its package takes long to import

    facts: Facts = {}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        yield facts
    facts["converged"] = not any(issubclass(warning.category, ConvergenceWarning) for warning in caught)
    for warning in caught:
        if not issubclass(warning.category, ConvergenceWarning):
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
