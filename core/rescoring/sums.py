"""Sum up changes of scores over samples, and take moments of the sums (method B). Pure.

Effects need no more than these sums, so a run stores them for each batch instead of all scores.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

FIELDS = ("count", "sum", "squares", "clipped", "made_undefined")
"""The sums over samples kept for every direction, layer set, sign and concept: see `sums_of`."""

SIGNS = (1.0, -1.0)


def sums_of(baseline: NDArray[np.floating], edited: NDArray[np.floating]) -> Floats:
    """Sum up the changes between two arrays of scores.

    With delta_k = edited_k - baseline_k for each sample k and concept (see `measure.changes_along`), the sums
    are the number of defined delta_k, sum delta_k, sum delta_k^2, sum max(delta_k, 0), and the number of
    samples whose score the edit made undefined. A pair with a NaN on either side is left out.

    Args:
        baseline: scores of the unedited samples, (K, C).
        edited: scores of the edited samples, (K, C).

    Returns:
        FIELDS of each concept, (C, 5).
    """
    changes = edited.astype(np.float64) - baseline
    valid = ~np.isnan(changes)
    known = np.where(valid, changes, 0.0)
    lost = ~np.isnan(baseline) & np.isnan(edited)
    return np.stack(
        [valid.sum(0), known.sum(0), (known**2).sum(0), np.maximum(known, 0.0).sum(0), lost.sum(0)], axis=1
    )


@dataclass(frozen=True)
class LookSums:
    """Hold what effects with interim analyses (looks) need of the sums by batch.

    Attributes:
        at_all: FIELDS of the boundaries at `all` up to each look, (looks, B, 2, C, 5).
        first: FIELDS of the boundaries up to the first of `layer_looks`, (B, S, 2, C, 5).
        total: FIELDS of all directions, (B + G R, S, 2, C, 5); 0 where one was not moved.
        batches: number of batches that each direction was moved on, (B + G R, S, 2).
        null_at_all: count and sum of the null directions at `all` by batch, forwards, (G, R, N, 1, C, 2).
        null_first: the same at every set up to the first of `layer_looks`, (G, R, n, S, C, 2).
    """

    at_all: Floats
    first: Floats
    total: Floats
    batches: NDArray[np.int64]
    null_at_all: Floats
    null_first: Floats

    @classmethod
    def of(
        cls,
        directions: Iterable[Floats],
        boundaries: int,
        null: int,
        at_all: Sequence[int],
        first: int,
        all_set: int,
    ) -> LookSums:
        """Sum up batches, of which those of one direction are in memory at a time.

        Args:
            directions: FIELDS of each direction by batch, boundaries first, (N, S, 2, C, 5) each; NaN where a
                batch was not moved.
            boundaries: B.
            null: R, the number of null directions at each of G sets of layers; they follow the boundaries.
            at_all: number of batches at each look at `all`.
            first: number of batches at the first of `layer_looks`.
            all_set: position of the layer set `all`.
        """
        looks, firsts, totals, batches, null_at_all, null_first = ([] for _ in range(6))
        for d, parts in enumerate(directions):
            batches.append((~np.isnan(parts[..., 0, 0])).sum(axis=0))
            totals.append(np.nansum(parts, axis=0))
            if d < boundaries:
                looks.append(np.stack([np.nansum(parts[:n, all_set], axis=0) for n in at_all]))
                firsts.append(np.nansum(parts[:first], axis=0))
            else:
                null_at_all.append(parts[:, [all_set], 0, :, :2])
                null_first.append(parts[:first, :, 0, :, :2])
        return cls(
            np.stack(looks, axis=1),
            np.stack(firsts),
            np.stack(totals),
            np.stack(batches),
            np.stack(null_at_all).reshape(-1, null, *null_at_all[0].shape),
            np.stack(null_first).reshape(-1, null, *null_first[0].shape),
        )

    def used(self, samples: int, step: int, sign: int = 0) -> NDArray[np.int64]:
        """Return how many samples each direction was moved on at each layer set, (B + G R, S).

        Args:
            samples: K, the most there are.
            step: samples in a batch; the last batch may be smaller.
            sign: 0 for forwards, 1 for backwards.
        """
        return np.asarray(np.minimum(self.batches[:, :, sign] * step, samples))


def null_means(null: Floats) -> Floats:
    """Return mean changes of null directions, (R, ...), from FIELDS (R, ..., 5); NaN where none is known.

    Count and sum, (R, ..., 2), suffice.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(null[..., 0] > 0, null[..., 1] / null[..., 0], np.nan)


@dataclass(frozen=True)
class Moments:
    """Hold what FIELDS say of changes: count, mean, standard error, clipped mean and made_undefined."""

    count: Floats
    mean: Floats
    error: Floats
    clipped: Floats
    made_undefined: Floats

    def of(self, rows: NDArray[np.int64]) -> Moments:
        """Return those of some rows of the first axis."""
        return Moments(*(values[rows] for values in vars(self).values()))


def moments_of(sums: Floats) -> Moments:
    """Compute the moments of changes, each (...), from FIELDS (..., 5)."""
    count, total, squares, clipped, made_undefined = np.moveaxis(sums, -1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(count > 0, total / count, np.nan)
        variance = np.where(count > 1, (squares - count * mean**2) / (count - 1.0), np.nan)
        error = np.sqrt(np.maximum(variance, 0.0) / count)
    clipped = np.where(count > 0, clipped / np.maximum(count, 1.0), np.nan)
    return Moments(count, mean, error, clipped, made_undefined)


@dataclass(frozen=True)
class Sums:
    """Hold the sums of re-scoring, from which effects are computed.

    Attributes:
        sums: FIELDS of every direction, (B + G R, S, 2, C, 5), or with looks `LookSums`. Boundaries
            come first, then the R null directions at each of the G sets of layers that boundaries have
            (`null_layers`).
        changes: each boundary's changes of its own concept, (B, S, 2, K). Both are NaN where a direction was
            not moved.
        relearnt: changes of the own concept at `all` along each boundary learnt again from M resamplings, (M,
            B, K); None if none was learnt again.
        dilutions: `boundaries.learning_variance.dilution` of each boundary, (B,); None like `relearnt`.
        looks: number of samples at each interim analysis; none where all samples were taken.
        batch: samples in a batch.
    """

    sums: Floats | LookSums
    changes: Floats
    relearnt: Floats | None = None
    dilutions: Floats | None = None
    looks: tuple[int, ...] = ()
    batch: int = 0
