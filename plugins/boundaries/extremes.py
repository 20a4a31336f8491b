"""Fit learners that separate the highest scores from the lowest (method A.2, A.3)."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...core.boundaries.selection import select_extremes
from .common import Facts, Hyperplane, Learner, LinearFit, Samples, evaluate_hyperplanes


@dataclass(frozen=True)
class Problem:
    """Hold the classification problem of one concept at one layer; codes are copied only on request."""

    latents: NDArray[np.float32]  # (N, D), all codes of the layer
    rows: NDArray[np.int64]  # (n,), the training samples
    labels: NDArray[np.int64]  # (n,): 1 for positives, 0 for negatives

    def codes(self) -> NDArray[np.float64]:
        """Return the codes to fit, (n, D)."""
        return self.latents[self.rows].astype(np.float64)

    def centred(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the codes to fit minus their mean, (n, D), and that mean, (D,)."""
        codes = self.codes()
        centre = codes.mean(axis=0)
        codes -= centre
        return codes, centre


Solver = Callable[[Sequence[Problem]], Iterable[Hyperplane]]


def fit_extremes(samples: Samples, solve: Solver) -> list[list[LinearFit]]:
    """Select the extremes of each concept, solve all problems, and evaluate on held-out samples.

    Returns:
        For each concept its fits, one per layer.

    Raises:
        DataError: too few samples for the positives and negatives, scores that do not vary, or no direction.
    """
    selections = [
        select_extremes(
            samples.scores[:, j],
            samples.settings,
            concept=concept.name,
            seed=samples.seed,
            classes=samples.classes,
        )
        for j, concept in enumerate(samples.concepts)
    ]
    # All concepts of a layer follow each other, because they are evaluated together.
    problems = [
        Problem(samples.layer(layer), s.train, s.train_labels) for layer in samples.layers for s in selections
    ]
    hyperplanes = list(solve(problems))
    count, names = len(selections), [concept.name for concept in samples.concepts]
    by_layer = [
        evaluate_hyperplanes(
            samples.layer(layer), hyperplanes[layer * count : (layer + 1) * count], selections, names
        )
        for layer in samples.layers
    ]
    return [list(layers) for layers in zip(*by_layer, strict=True)]


class ExtremesLearner(Learner):
    """Separate the extremes; subclasses implement `fit` for one problem, or override `solve` for many."""

    def fit_concepts(self, samples: Samples) -> list[list[LinearFit]]:
        """Fit one classifier for each concept and layer."""
        return fit_extremes(samples, lambda problems: self.solve(problems, samples.seed))

    def solve(self, problems: Sequence[Problem], seed: int) -> Iterator[Hyperplane]:
        """Yield a hyperplane for each problem.

        The codes are centred for the fit. A hyperplane v.(w - m) + b = 0 around the mean m has the intercept
        b - v.m in the coordinates of w.
        """
        for problem in problems:
            x, centre = problem.centred()
            coefficients, intercept, facts = self.fit(x, problem.labels, seed)
            yield Hyperplane(coefficients, intercept - float(coefficients @ centre), facts)

    @abstractmethod
    def fit(
        self, x: NDArray[np.float64], labels: NDArray[np.int64], seed: int
    ) -> tuple[NDArray[np.float64], float, Facts]:
        """Return coefficients (D,), intercept and facts for centred codes (n, D) and labels (n,), 1 or 0."""
