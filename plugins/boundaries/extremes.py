"""Learners that set the highest scores against the lowest (method A.2, A.3)."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...core.boundaries.selection import select
from .common import Facts, Hyperplane, Learner, LinearFit, Samples, evaluated


@dataclass(frozen=True)
class Problem:
    """One concept at one layer. Its codes are taken out of all only when they are asked for."""

    latents: NDArray[np.float32]  # (N, D)
    rows: NDArray[np.int64]  # (n,) of the training part
    labels: NDArray[np.int64]  # (n,): 1 for positives, 0 for negatives

    def codes(self) -> NDArray[np.float64]:
        """The codes to fit, (n, D)."""
        return self.latents[self.rows].astype(np.float64)

    def centred(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The codes to fit moved so that their mean is 0, (n, D), and that mean (D,)."""
        codes = self.codes()
        centre = codes.mean(axis=0)
        codes -= centre
        return codes, centre


Solver = Callable[[Sequence[Problem]], Iterable[Hyperplane]]


def on_extremes(samples: Samples, solve: Solver) -> list[list[LinearFit]]:
    """For each concept what `solve` finds at each layer, judged on what it was not given.

    Raises:
        DataError: too few samples for the positives and negatives, scores that do not vary, or no direction.
    """
    selections = [
        select(
            samples.scores[:, j],
            samples.settings,
            concept=concept.name,
            seed=samples.seed,
            classes=samples.classes,
        )
        for j, concept in enumerate(samples.concepts)
    ]
    # Concept after concept within a layer, as they are judged.
    problems = [
        Problem(samples.layer(layer), s.train, s.train_labels) for layer in samples.layers for s in selections
    ]
    planes = list(solve(problems))
    count, names = len(selections), [concept.name for concept in samples.concepts]
    by_layer = [
        evaluated(samples.layer(layer), planes[layer * count : (layer + 1) * count], selections, names)
        for layer in samples.layers
    ]
    return [list(layers) for layers in zip(*by_layer, strict=True)]


class ExtremesLearner(Learner):
    """A classifier of extremes; subclasses fit one problem, or override solve() to fit many together."""

    def find(self, samples: Samples) -> list[list[LinearFit]]:
        """One classifier for each concept and layer."""
        return on_extremes(samples, lambda problems: self.solve(problems, samples.seed))

    def solve(self, problems: Sequence[Problem], seed: int) -> Iterator[Hyperplane]:
        """A plane for each problem; codes are centred for the fit."""
        for problem in problems:
            x, centre = problem.centred()
            coefficients, intercept, facts = self.fit(x, problem.labels, seed)
            yield Hyperplane(coefficients, intercept - float(coefficients @ centre), facts)

    @abstractmethod
    def fit(
        self, x: NDArray[np.float64], labels: NDArray[np.int64], seed: int
    ) -> tuple[NDArray[np.float64], float, Facts]:
        """Coefficients (D,), intercept and facts for centred codes (n, D) and labels (n,), 1 or 0."""
