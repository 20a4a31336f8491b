"""Fit learners that predict the score itself from all samples, not only from the extremes."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from ...core.boundaries.selection import Selection, select_extremes
from ...core.errors import DataError
from ...core.messages import quantity
from ...core.rounding import ceil_share
from .common import Hyperplane, LinearFit, Samples, evaluate_hyperplanes

Regression = Callable[[NDArray[np.float64], NDArray[np.float64]], Iterable[Hyperplane]]
"""Maps codes (n, D) and scores (n, K) to K hyperplanes; coefficients.w + intercept predicts the score."""


def fit_scores(samples: Samples, regress: Regression) -> list[list[LinearFit]]:
    """Regress scores on codes and put each boundary where the predicted score is the mean score.

    With the prediction v.w + b and the mean score m of the fitted samples, the hyperplane is v.w + b - m = 0.
    `train_share` of all samples are fitted; the extremes among the others measure accuracy. Concepts that
    are undefined for the same samples are fitted together. If a generator draws classes, the differences
    between the class means are removed from codes and scores first.

    Returns:
        For each concept its fits, one per layer.

    Raises:
        DataError: too few samples, scores that do not vary, or no direction.
    """
    n = len(samples.scores)
    fitted = np.zeros(n, dtype=bool)
    fitted[
        np.random.default_rng(samples.seed).permutation(n)[: ceil_share(samples.settings.train_share, n)]
    ] = True
    defined = ~np.isnan(samples.scores)  # (N, C)
    fits: dict[int, list[LinearFit]] = {}
    for pattern in np.unique(defined, axis=1).T:  # (N,): the samples for which a group of concepts is defined
        columns = np.flatnonzero((defined == pattern[:, None]).all(axis=0))
        rows = fitted & pattern
        if rows.sum() < 2:
            concept = samples.concepts[int(columns[0])].name
            raise DataError(
                f"{concept}: {int(pattern.sum())} of {quantity(n, 'sample')} have a score, and "
                f"{int(rows.sum())} of them "
                "are to be fitted, but 2 are needed; raise synthesis.samples or exclude the concept"
            )
        selections = [_select_held_out(samples, int(j), rows) for j in columns]
        names = [samples.concepts[int(j)].name for j in columns]
        by_layer = []
        for layer in samples.layers:
            w = samples.layer(layer)  # (N, D)
            x, y = w[rows].astype(np.float64), samples.scores[rows][:, columns].astype(np.float64)
            means = y.mean(axis=0)  # (K,)
            if samples.classes is not None:
                x = remove_class_means(x, samples.classes[rows])
                y = remove_class_means(y, samples.classes[rows])
            count = int(rows.sum())
            hyperplanes = [
                hyperplane._replace(
                    intercept=hyperplane.intercept - float(mean), facts={"samples": count, **hyperplane.facts}
                )
                for hyperplane, mean in zip(regress(x, y), means, strict=True)
            ]
            by_layer.append(evaluate_hyperplanes(w, hyperplanes, selections, names))
        fits |= {int(j): list(layers) for j, layers in zip(columns, zip(*by_layer, strict=True), strict=True)}
    return [fits[j] for j in range(len(samples.concepts))]


def _select_held_out(samples: Samples, column: int, fitted: NDArray[np.bool_]) -> Selection:
    """Select a concept's extremes and rest, with exactly the rows that were not fitted as held-out."""
    selection = select_extremes(
        samples.scores[:, column],
        samples.settings,
        concept=samples.concepts[column].name,
        seed=samples.seed,
        classes=samples.classes,
    )
    extremes = np.concatenate([selection.train, selection.held_out])
    labels = np.concatenate([selection.train_labels, selection.held_out_labels])
    is_train, is_rest = fitted[extremes], ~fitted[selection.rest]
    return Selection(
        extremes[is_train],
        labels[is_train],
        extremes[~is_train],
        labels[~is_train],
        selection.rest[is_rest],
        selection.rest_labels[is_rest],
        selection.requested,
    )


def remove_class_means(values: NDArray[np.float64], classes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return values (N, K) with the mean of every class moved to the mean of all.

    For sample i of class c: value_i - mean_c + mean.
    """
    members, index, counts = np.unique(classes, return_inverse=True, return_counts=True)
    sums = np.zeros((len(members), values.shape[1]))
    np.add.at(sums, index, values)
    centred: NDArray[np.float64] = values - (sums / counts[:, None])[index] + values.mean(axis=0)
    return centred
