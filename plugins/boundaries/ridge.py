"""Ridge regression of every concept's score on the codes: all samples, all concepts at once."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from sklearn.linear_model import Ridge as Regression

from ...core.contracts import BoundaryLearner, Generator
from ...core.errors import DataError
from ...core.planes import boundary_of, unit_plane
from ...core.records import Boundaries, Boundary, Concept
from ...core.selection import Extremes, accuracy, select


class Ridge(BoundaryLearner):
    """Uses every score, not only the extremes, and one factorisation for all concepts.

    The boundary lies where the predicted score is the mean score. Concepts that are undefined for
    some samples are fitted together with those that are undefined for the same ones. `train_share`
    of all samples are fitted; the extremes among the others measure accuracy. Where a generator draws
    classes, the differences between their means are taken out first.
    """

    class Config(Extremes):
        """Strength of the penalty, and how accuracy is measured."""

        alpha: float = Field(default=1.0, ge=0.0, description="penalty on the squared coefficients")

    config: Config
    within_classes = True

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
        """A boundary per concept from latents (N, D), scores (N, C) and classes (N,) if there are any.

        Raises:
            DataError: too few samples, scores that do not vary, or latents with a layer axis.
        """
        if latents.ndim != 2:
            raise DataError("ridge learns one direction for all layers; latents must be (N, D)")
        n = len(latents)
        order = np.random.default_rng(seed).permutation(n)
        cut = math.ceil(n * self.config.train_share)
        fitted = np.zeros(n, dtype=bool)
        fitted[order[:cut]] = True
        defined = ~np.isnan(scores)  # (N, C)
        patterns = np.unique(defined, axis=1)  # columns that are undefined for the same samples
        boundaries = {}
        for pattern in patterns.T:
            columns = np.flatnonzero((defined == pattern[:, None]).all(axis=0))
            rows = fitted & pattern
            if rows.sum() < 2:
                raise DataError(
                    f"{concepts[int(columns[0])].name}: {int(pattern.sum())} of {n} samples have a score, and {int(rows.sum())} of them are to be "
                    "fitted, but 2 are needed; raise synthesis.samples or exclude the concept"
                )
            x, y = latents[rows].astype(np.float64), scores[rows][:, columns].astype(np.float64)
            x, y = (x, y) if classes is None else (_within(x, classes[rows]), _within(y, classes[rows]))
            regression = Regression(alpha=self.config.alpha).fit(x, y)
            coefficients = np.atleast_2d(regression.coef_)  # (C', D)
            for j, slope, level in zip(columns, coefficients, np.atleast_1d(regression.intercept_), strict=True):
                boundaries[int(j)] = self._boundary(latents, scores[:, j], rows, slope, float(level), concepts[int(j)], generator, seed, classes)
        return Boundaries(boundaries[j] for j in range(len(concepts)))

    def _boundary(
        self,
        latents: NDArray[np.float32],
        scores: NDArray[np.float32],
        rows: NDArray[np.bool_],
        slope: NDArray[np.float64],
        level: float,
        concept: Concept,
        generator: Generator | None,
        seed: int,
        classes: NDArray[np.int64] | None,
    ) -> Boundary:
        """One concept's boundary, judged on the extremes among the rows that were not fitted."""
        selection = select(scores, self.config, concept=concept.name, seed=seed, classes=classes)
        normal, offset = unit_plane(slope, level - float(scores[rows].mean()), concept=concept.name)
        chosen = np.concatenate([selection.train, selection.held_out])
        labels = np.concatenate([selection.train_labels, selection.held_out_labels])
        unseen = ~rows[chosen]
        rest = selection.rest[~rows[selection.rest]]
        rest_labels = selection.rest_labels[~rows[selection.rest]]
        facts = {
            "positives": int((labels == 1).sum()),
            "negatives": int((labels == 0).sum()),
            "held_out_accuracy": accuracy(latents[chosen[unseen]] @ normal + offset, labels[unseen]),
            "rest_accuracy": accuracy(latents[rest] @ normal + offset, rest_labels),
            "samples": int(rows.sum()),
        }
        return boundary_of(concept, normal, offset, generator, facts)


def _within(values: NDArray[np.float64], classes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Values (N, K) with the mean of every class moved to the mean of all."""
    found, member, counts = np.unique(classes, return_inverse=True, return_counts=True)
    sums = np.zeros((len(found), values.shape[1]))
    np.add.at(sums, member, values)
    moved: NDArray[np.float64] = values - (sums / counts[:, None])[member] + values.mean(axis=0)
    return moved
