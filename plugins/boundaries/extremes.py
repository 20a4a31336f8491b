"""Fit learners that separate the highest scores from the lowest (method A.2, A.3)."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...core.boundaries.cuts import Cuts, Split, cuts_of, portions, splits_of
from ...core.storage.rows import rows_at, with_columns
from .accuracies import accuracies, as_fits
from .common import Facts, Hyperplane, Learner, LinearFit, Samples

MEMORY = 2**27  # bytes of codes to train on that are held at a time


@dataclass(frozen=True)
class Problem:
    """Hold the classification problem of one concept at one layer; codes are copied only on request."""

    latents: NDArray[np.float32]  # (m, D), codes of the layer, of several problems
    rows: NDArray[np.int64]  # (n,), the training samples among them
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


Solver = Callable[[Iterable[Problem]], Iterable[Hyperplane]]


def fit_extremes(samples: Samples, solve: Solver) -> list[list[LinearFit]]:
    """Select the extremes of each concept, solve all problems, and evaluate on held-out samples.

    Only selected samples are kept, those of some concepts at a time.

    Returns:
        For each concept its fits, one per layer.

    Raises:
        DataError: too few samples for the positives and negatives, scores that do not vary, or no direction.
    """
    cuts = cuts_of(samples.scores, samples.settings, samples.names, samples.classes)
    fits: list[list[LinearFit]] = []
    for columns in cuts.portions():
        fits += _fit_portion(samples, columns, cuts.of(columns), solve)
    return fits


def _fit_portion(samples: Samples, columns: list[int], cuts: Cuts, solve: Solver) -> list[list[LinearFit]]:
    """Fit and evaluate some concepts."""
    names, layers = [samples.names[j] for j in columns], len(samples.layers)
    scores = with_columns(samples.scores, columns)
    splits = splits_of(scores, cuts, samples.settings, names, samples.seed, samples.classes)
    solved = list(solve(_problems(samples, splits)))
    hyperplanes = [solved[j * layers : (j + 1) * layers] for j in range(len(names))]
    fits = as_fits(hyperplanes, names, None)
    if not samples.measured:
        return fits
    held_out = _HeldOut(splits)
    facts = accuracies(samples, columns, fits, cuts, lambda rows, chosen: (held_out.within(rows), ~chosen))
    return as_fits(hyperplanes, names, facts)


def _problems(samples: Samples, splits: Sequence[Split]) -> Iterator[Problem]:
    """Yield the problem of each concept and layer; codes are read for some concepts at a time."""
    code_bytes = 4 * math.prod(samples.latents.shape[1:])
    for portion in portions((len(split.train) * code_bytes for split in splits), MEMORY):
        some = [splits[j] for j in portion]
        rows, position = np.unique(np.concatenate([split.train for split in some]), return_inverse=True)
        codes, start = rows_at(samples.latents, rows), 0  # (n, L, D)
        for split in some:
            own = position[start : start + len(split.train)]
            start += len(own)
            for layer in samples.layers:
                yield Problem(codes[:, layer], own, split.train_labels)


class _HeldOut:
    """Find the held-out samples of each concept among consecutive rows."""

    def __init__(self, splits: Sequence[Split]) -> None:
        self._rows = [np.sort(split.held_out) for split in splits]

    def within(self, rows: slice) -> NDArray[np.bool_]:
        """Return which of these rows are held out, (n, C)."""
        mask = np.zeros((rows.stop - rows.start, len(self._rows)), dtype=bool)
        for j, own in enumerate(self._rows):
            first, last = np.searchsorted(own, (rows.start, rows.stop))
            mask[own[first:last] - rows.start, j] = True
        return mask


class ExtremesLearner(Learner):
    """Separate the extremes; subclasses implement `fit` for one problem, or override `solve` for many."""

    def fit_concepts(self, samples: Samples) -> list[list[LinearFit]]:
        """Fit one classifier for each concept and layer."""
        return fit_extremes(samples, lambda problems: self.solve(problems, samples.seed))

    def solve(self, problems: Iterable[Problem], seed: int) -> Iterator[Hyperplane]:
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
