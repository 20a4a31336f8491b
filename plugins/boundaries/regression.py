"""Fit learners that predict the score itself from all samples, not only from the extremes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...core.boundaries.cuts import cuts_of
from ...core.errors import DataError
from ...core.messages import quantity
from ...core.rounding import ceil_share
from ...core.storage.rows import blocks
from .accuracies import accuracies, as_fits
from .common import Facts, Hyperplane, LinearFit, Samples
from .score_moments import ClassMeans, ScoreMoments

MEMORY = 2**26  # bytes of sums that are held at a time
Floats = NDArray[np.float64]

OfMoments = Callable[[ScoreMoments], Iterable[Hyperplane]]
"""Maps moments of codes and K scores to K hyperplanes; coefficients.w + intercept predicts the score."""
OfRows = Callable[["FittedRows"], Iterable[Hyperplane]]
"""Maps codes and K scores themselves to K such hyperplanes."""


class FittedPlane(NamedTuple):
    """Hold the regression of one concept at one layer.

    Attributes:
        plane: slope v and intercept b, so that v.w + b predicts by how much a score exceeds the mean score.
        centre: mean of the codes that were fitted, (D,).
        spread: s = sqrt(trace Cov / D) of these codes.
        sd: standard deviation of the scores that were fitted.
    """

    plane: Hyperplane
    centre: Floats
    spread: float
    sd: float


Combination = Callable[[Sequence[FittedPlane]], Sequence[Floats]]
"""Maps the planes of all C concepts at a layer to other coefficients, (D,) each."""


@dataclass(frozen=True)
class _Group:
    """Hold the columns of concepts that are defined for the same samples."""

    columns: list[int]

    def rows(self, scores: NDArray[np.float32], fitted: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return which rows of a block of scores (n, C) are fitted, (n,)."""
        return np.asarray(fitted & ~np.isnan(scores[:, self.columns[0]]))


def fit_scores(
    samples: Samples,
    regress: OfMoments | None = None,
    combine: Combination | None = None,
    *,
    of_rows: OfRows | None = None,
    most: int = 0,
) -> list[list[LinearFit]]:
    """Regress scores on codes and put each boundary where the predicted score is the mean score.

    With the prediction v.w + b and the mean score m of the fitted samples, the hyperplane is v.w + b - m = 0.
    `train_share` of all samples are fitted; the extremes among the others measure accuracy. Concepts that
    are undefined for the same samples are fitted together. If a generator draws classes, the differences
    between the class means are removed from codes and scores first.

    Args:
        samples: codes and scores.
        regress: fits concepts that are defined for the same samples, from their moments, which are summed up
            block by block.
        combine: changes the coefficients of all concepts in view of each other, and the hyperplanes then go
            through the mean of the codes; None leaves them.
        of_rows: fits them from the codes and scores in place of `regress`.
        most: largest number of samples to fit, chosen at random by the seed; 0 for no limit.

    Returns:
        For each concept its fits, one per layer.

    Raises:
        DataError: too few samples, scores that do not vary, or no direction.
    """
    n = len(samples)
    fitted = np.zeros(n, dtype=bool)
    count = ceil_share(samples.settings.train_share, n)
    chosen = np.random.default_rng(samples.seed).permutation(n)[: min(count, most or count)]
    fitted[chosen] = True
    groups = _groups(samples, fitted)
    cuts = None
    if samples.measured:
        cuts = cuts_of(samples.scores, samples.settings, samples.names, samples.classes)
    limited: Facts = {"samples_of": n} if len(chosen) < count else {}
    planes: dict[tuple[int, int], FittedPlane] = {}
    for layer, group, moments in _moments(samples, groups, fitted):
        _check_varies(samples, group, moments)
        if of_rows is not None:
            found = of_rows(FittedRows(samples, (layer, group), fitted, moments))
        else:
            assert regress is not None
            found = regress(moments)
        planes |= {(j, layer): plane for j, plane in _planes(group, moments, found, limited)}
    hyperplanes: list[list[Hyperplane]] = [[] for _ in samples.names]
    for layer in samples.layers:
        fits = [planes[j, layer] for j in range(len(samples.names))]
        for j, plane in enumerate(_combined(fits, combine)):
            hyperplanes[j].append(plane)
    result = as_fits(hyperplanes, samples.names, None)
    if cuts is None:
        return result

    def parts(rows: slice, selected: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        left = ~fitted[rows, None]  # no fitted sample measures accuracy
        return selected & left, ~selected & left

    facts = accuracies(samples, range(len(samples.names)), result, cuts, parts)
    return as_fits(hyperplanes, samples.names, facts)


def _combined(fits: Sequence[FittedPlane], combine: Combination | None) -> list[Hyperplane]:
    """Return the hyperplanes of all concepts at a layer, with coefficients changed in view of each other."""
    if combine is None:
        return [fit.plane for fit in fits]
    return [
        Hyperplane(v, -float(v @ fit.centre), fit.plane.facts, fit.plane.coefficients)
        for v, fit in zip(combine(fits), fits, strict=True)
    ]


def _groups(samples: Samples, fitted: NDArray[np.bool_]) -> list[_Group]:
    """Return groups of concepts that are defined for the same samples.

    Raises:
        DataError: fewer than two samples of a group are to be fitted.
    """
    count = len(samples.names)
    patterns = [hashlib.blake2b() for _ in range(count)]
    defined, used = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int64)
    for here, (block,) in blocks(samples.scores):
        known = ~np.isnan(block)  # (n, C)
        defined, used = defined + known.sum(axis=0), used + known[fitted[here]].sum(axis=0)
        for pattern, column in zip(patterns, np.packbits(known, axis=0).T, strict=True):
            pattern.update(column.tobytes())
    groups: dict[bytes, list[int]] = {}
    for j, pattern in enumerate(patterns):
        if used[j] < 2:
            raise DataError(
                f"{samples.names[j]}: {defined[j]} of {quantity(len(samples), 'sample')} have a score, and "
                f"{used[j]} of them "
                "are to be fitted, but 2 are needed; raise synthesis.samples or exclude the concept"
            )
        groups.setdefault(pattern.digest(), []).append(j)
    return [_Group(columns) for columns in groups.values()]


def _moments(
    samples: Samples, groups: Sequence[_Group], fitted: NDArray[np.bool_]
) -> Iterator[tuple[int, _Group, ScoreMoments]]:
    """Yield the moments of each group at each layer, summed up in one pass for as many as fit into memory."""
    size, layers = samples.latents.shape[2], samples.latents.shape[1]
    jobs = [(layer, group) for layer in range(layers) for group in groups]
    at_once = max(MEMORY // (8 * size * (size + len(samples.names))), 1)
    for first in range(0, len(jobs), at_once):
        some = jobs[first : first + at_once]
        moments = [ScoreMoments(size, len(group.columns)) for _, group in some]
        means: list[ClassMeans | None] = [None] * len(some)
        if samples.classes is not None:
            means = [ClassMeans(samples.classes, size, len(group.columns)) for _, group in some]
            for i, here, x, y in _fitted(samples, some, fitted):
                own = means[i]
                assert own is not None
                own.add(samples.classes[here], x, y)
        for i, here, x, y in _fitted(samples, some, fitted):
            moments[i].add(x, y, means[i], None if samples.classes is None else samples.classes[here])
        for (layer, group), of_both in zip(some, moments, strict=True):
            yield layer, group, of_both


def _fitted(
    samples: Samples, jobs: Sequence[tuple[int, _Group]], fitted: NDArray[np.bool_]
) -> Iterator[tuple[int, NDArray[np.int64], Floats, Floats]]:
    """Yield for each block and job the number of the job, the rows it fits, and their codes and scores."""
    for here, (codes, scores) in blocks(samples.latents, samples.scores):
        for i, (layer, group) in enumerate(jobs):
            rows = np.flatnonzero(group.rows(scores, fitted[here]))
            if len(rows):
                x = codes[rows, layer].astype(np.float64)
                yield i, rows + here.start, x, scores[rows][:, group.columns].astype(np.float64)


class FittedRows:
    """Represent the codes and scores that a group fits at a layer, without differences between classes.

    Attributes:
        moments: their moments.
    """

    def __init__(
        self, samples: Samples, job: tuple[int, _Group], fitted: NDArray[np.bool_], moments: ScoreMoments
    ) -> None:
        self.moments = moments
        self._samples, self._job, self._fitted = samples, job, fitted
        self._means: ClassMeans | None = None
        if samples.classes is not None:
            self._means = ClassMeans(samples.classes, len(moments.mean), len(moments.score_mean))
            for _, rows, x, y in _fitted(samples, [job], fitted):
                self._means.add(samples.classes[rows], x, y)

    def blocks(self) -> Iterator[tuple[Floats, Floats]]:
        """Yield codes (n, D) and scores (n, K) block by block."""
        classes = self._samples.classes
        for _, rows, x, y in _fitted(self._samples, [self._job], self._fitted):
            if self._means is None or classes is None:
                yield x, y
            else:
                yield self._means.removed(classes[rows], x, y)

    def arrays(self) -> tuple[Floats, Floats]:
        """Return all codes (n, D) and scores (n, K)."""
        codes = np.empty((self.moments.count, len(self.moments.mean)))
        scores = np.empty((self.moments.count, len(self.moments.score_mean)))
        start = 0
        for x, y in self.blocks():
            here = slice(start, start + len(x))
            codes[here], scores[here] = x, y
            start += len(x)
        return codes, scores


def _check_varies(samples: Samples, group: _Group, moments: ScoreMoments) -> None:
    """Refuse scores that do not vary.

    Raises:
        DataError: the scores of a concept do not vary among the samples that are fitted.
    """
    least = 1e-12 * moments.largest  # rounding keeps equal numbers a little apart, (K,)
    for j, sd, smallest in zip(group.columns, moments.sd, least, strict=True):
        if not sd > smallest:
            within = "" if samples.classes is None else " within their classes"
            raise DataError(
                f"{samples.names[j]}: the scores of the {quantity(moments.count, 'sample')} that are "
                f"fitted do not vary{within}; raise synthesis.samples or exclude the concept"
            )


def _planes(
    group: _Group, moments: ScoreMoments, found: Iterable[Hyperplane], limited: Facts
) -> Iterator[tuple[int, FittedPlane]]:
    """Yield the column and the plane of each concept of a group."""
    for j, plane, mean, sd in zip(group.columns, found, moments.score_mean, moments.sd, strict=True):
        facts: Facts = {"samples": moments.count, **limited, **plane.facts}
        shifted = Hyperplane(plane.coefficients, plane.intercept - float(mean), facts)
        yield j, FittedPlane(shifted, moments.mean, moments.spread, float(sd))
