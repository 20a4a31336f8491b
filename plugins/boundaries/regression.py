"""Learners that predict the score itself, from all samples and not the extremes alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from ...core.boundaries.selection import Selection, select
from ...core.counts import ceil_share
from ...core.errors import DataError
from .common import Hyperplane, LinearFit, Samples, evaluated

Regression = Callable[[NDArray[np.float64], NDArray[np.float64]], Iterable[Hyperplane]]
"""Codes (n, D) and scores (n, K) to a plane for each of K scores, which it predicts: coefficients.w + intercept."""


def on_scores(samples: Samples, regress: Regression) -> list[list[LinearFit]]:
    """For each concept what `regress` finds at each layer.

    The boundary lies where the predicted score is the mean score. Concepts that are undefined for
    some samples are fitted together with those that are undefined for the same ones. `train_share`
    of all samples are fitted; the extremes among the others measure accuracy. Where a generator draws
    classes, the differences between their means are taken out first.

    Raises:
        DataError: too few samples, scores that do not vary, or no direction.
    """
    n = len(samples.scores)
    fitted = np.zeros(n, dtype=bool)
    fitted[
        np.random.default_rng(samples.seed).permutation(n)[: ceil_share(samples.settings.train_share, n)]
    ] = True
    defined = ~np.isnan(samples.scores)  # (N, C)
    found: dict[int, list[LinearFit]] = {}
    for pattern in np.unique(defined, axis=1).T:  # columns that are undefined for the same samples
        columns = np.flatnonzero((defined == pattern[:, None]).all(axis=0))
        rows = fitted & pattern
        if rows.sum() < 2:
            concept = samples.concepts[int(columns[0])].name
            raise DataError(
                f"{concept}: {int(pattern.sum())} of {n} samples have a score, and {int(rows.sum())} of them are to be fitted, "
                "but 2 are needed; raise synthesis.samples or exclude the concept"
            )
        selections = [_unseen(samples, int(j), rows) for j in columns]
        names = [samples.concepts[int(j)].name for j in columns]
        by_layer = []
        for layer in samples.layers:
            w = samples.layer(layer)
            x, y = w[rows].astype(np.float64), samples.scores[rows][:, columns].astype(np.float64)
            means = y.mean(axis=0)
            if samples.classes is not None:
                x, y = within(x, samples.classes[rows]), within(y, samples.classes[rows])
            count = int(rows.sum())
            planes = [
                plane._replace(
                    intercept=plane.intercept - float(mean), facts={"samples": count, **plane.facts}
                )
                for plane, mean in zip(regress(x, y), means, strict=True)
            ]
            by_layer.append(evaluated(w, planes, selections, names))
        found |= {
            int(j): list(layers) for j, layers in zip(columns, zip(*by_layer, strict=True), strict=True)
        }
    return [found[j] for j in range(len(samples.concepts))]


def _unseen(samples: Samples, column: int, fitted: NDArray[np.bool_]) -> Selection:
    """The concept's extremes and rest, of which only rows that were not fitted are to be judged on."""
    chosen = select(
        samples.scores[:, column],
        samples.settings,
        concept=samples.concepts[column].name,
        seed=samples.seed,
        classes=samples.classes,
    )
    extremes = np.concatenate([chosen.train, chosen.held_out])
    labels = np.concatenate([chosen.train_labels, chosen.held_out_labels])
    seen, rest = fitted[extremes], ~fitted[chosen.rest]
    return Selection(
        extremes[seen],
        labels[seen],
        extremes[~seen],
        labels[~seen],
        chosen.rest[rest],
        chosen.rest_labels[rest],
        chosen.asked,
    )


def within(values: NDArray[np.float64], classes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Values (N, K) with the mean of every class moved to the mean of all."""
    found, member, counts = np.unique(classes, return_inverse=True, return_counts=True)
    sums = np.zeros((len(found), values.shape[1]))
    np.add.at(sums, member, values)
    moved: NDArray[np.float64] = values - (sums / counts[:, None])[member] + values.mean(axis=0)
    return moved
