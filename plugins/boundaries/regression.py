"""Fit learners that predict the score itself from all samples, not only from the extremes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...core.boundaries.selection import Selection, select_extremes
from ...core.errors import DataError
from ...core.messages import quantity
from ...core.rounding import ceil_share
from .common import Hyperplane, LinearFit, Samples, evaluate_hyperplanes

Regression = Callable[[NDArray[np.float64], NDArray[np.float64]], Iterable[Hyperplane]]
"""Maps codes (n, D) and scores (n, K) to K hyperplanes; coefficients.w + intercept predicts the score."""


class FittedPlane(NamedTuple):
    """Hold the regression of one concept at one layer.

    Attributes:
        plane: slope v and intercept b, so that v.w + b predicts by how much a score exceeds the mean score.
        centre: mean of the codes that were fitted, (D,).
        spread: s = sqrt(trace Cov / D) of these codes.
        sd: standard deviation of the scores that were fitted.
    """

    plane: Hyperplane
    centre: NDArray[np.float64]
    spread: float
    sd: float


Combination = Callable[[Sequence[FittedPlane]], Sequence[NDArray[np.float64]]]
"""Maps the planes of all C concepts at a layer to other coefficients, (D,) each."""


class _Group(NamedTuple):
    """Hold the columns of concepts that are defined for the same samples, and the rows to fit, (N,)."""

    columns: NDArray[np.int64]
    rows: NDArray[np.bool_]


def fit_scores(
    samples: Samples, regress: Regression, combine: Combination | None = None
) -> list[list[LinearFit]]:
    """Regress scores on codes and put each boundary where the predicted score is the mean score.

    With the prediction v.w + b and the mean score m of the fitted samples, the hyperplane is v.w + b - m = 0.
    `train_share` of all samples are fitted; the extremes among the others measure accuracy. Concepts that
    are undefined for the same samples are fitted together. If a generator draws classes, the differences
    between the class means are removed from codes and scores first.

    Args:
        samples: codes and scores.
        regress: fits concepts that are defined for the same samples.
        combine: changes the coefficients of all concepts in view of each other, and the hyperplanes then go
            through the mean of the codes; None leaves them.

    Returns:
        For each concept its fits, one per layer.

    Raises:
        DataError: too few samples, scores that do not vary, or no direction.
    """
    n, names = len(samples.scores), [concept.name for concept in samples.concepts]
    fitted = np.zeros(n, dtype=bool)
    fitted[
        np.random.default_rng(samples.seed).permutation(n)[: ceil_share(samples.settings.train_share, n)]
    ] = True
    groups = _groups(samples, fitted)
    selections: dict[int, Selection] = {}
    for group in groups:
        selections |= {int(j): _select_held_out(samples, int(j), group.rows) for j in group.columns}
    ordered = [selections[j] for j in range(len(names))]
    by_layer = []
    for layer in samples.layers:
        planes: dict[int, FittedPlane] = {}
        for group in groups:
            planes |= _fit_group(samples, layer, group, regress)
        fits = [planes[j] for j in range(len(names))]
        hyperplanes = [fit.plane for fit in fits]
        if combine is not None:
            hyperplanes = [
                Hyperplane(v, -float(v @ fit.centre), fit.plane.facts, fit.plane.coefficients)
                for v, fit in zip(combine(fits), fits, strict=True)
            ]
        by_layer.append(evaluate_hyperplanes(samples.layer(layer), hyperplanes, ordered, names))
    return [list(layers) for layers in zip(*by_layer, strict=True)]


def _groups(samples: Samples, fitted: NDArray[np.bool_]) -> list[_Group]:
    """Return groups of concepts that are defined for the same samples.

    Raises:
        DataError: fewer than two samples of a group are to be fitted.
    """
    n, defined = len(samples.scores), ~np.isnan(samples.scores)  # (N, C)
    groups = []
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
        groups.append(_Group(columns, rows))
    return groups


def _fit_group(samples: Samples, layer: int, group: _Group, regress: Regression) -> dict[int, FittedPlane]:
    """Regress the scores of a group at one layer; return column -> plane.

    Raises:
        DataError: the scores of a concept do not vary among the samples that are fitted.
    """
    x = samples.layer(layer)[group.rows].astype(np.float64)  # (n, D)
    y = samples.scores[group.rows][:, group.columns].astype(np.float64)  # (n, K)
    least = 1e-12 * np.abs(y).max(axis=0)  # rounding keeps equal numbers a little apart, (K,)
    if samples.classes is not None:
        x = remove_class_means(x, samples.classes[group.rows])
        y = remove_class_means(y, samples.classes[group.rows])
    for j, sd, smallest in zip(group.columns, y.std(axis=0), least, strict=True):
        if not sd > smallest:
            within = "" if samples.classes is None else " within their classes"
            raise DataError(
                f"{samples.concepts[int(j)].name}: the scores of the {quantity(len(y), 'sample')} that are "
                f"fitted do not vary{within}; raise synthesis.samples or exclude the concept"
            )
    centre, spread = x.mean(axis=0), float(np.sqrt(x.var(axis=0).mean()))
    return {
        int(j): FittedPlane(
            Hyperplane(plane.coefficients, plane.intercept - float(mean), {"samples": len(x), **plane.facts}),
            centre,
            spread,
            float(sd),
        )
        for j, plane, mean, sd in zip(
            group.columns, regress(x, y), y.mean(axis=0), y.std(axis=0), strict=True
        )
    }


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
