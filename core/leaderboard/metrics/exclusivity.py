"""Compute the mutual information gap: how exclusively one direction knows a concept."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
MOST_BINS = 20
IN_A_CELL = 10  # samples in a cell of two binned quantities, on average, at least


def binned(values: Floats) -> NDArray[np.int64]:
    """Return the bin of every value: up to 20 bins with equally many values, by rank; NaN is in bin -1.

    There are so many that a cell of two binned quantities has 10 samples on average. Equal values share a
    bin.

    Args:
        values: (N,).
    """
    known = ~np.isnan(values)
    if not known.any():
        return np.full(values.shape, -1)
    count = int(min(MOST_BINS, max(2, np.sqrt(known.sum() / IN_A_CELL))))
    edges = np.unique(np.quantile(values[known], np.linspace(0.0, 1.0, count + 1)[1:-1]))
    return np.where(known, np.searchsorted(edges, np.where(known, values, 0.0), side="right"), -1)


def mutual_information(a: NDArray[np.int64], b: NDArray[np.int64], counts: Floats) -> tuple[float, float]:
    """Return the mutual information of two binned quantities (N,), and the entropy of the second, in nats.

    Args:
        a: bins (N,).
        b: bins (N,); samples with -1 in either are left out.
        counts: how often each sample counts, (N,).

    >>> bins = np.array([0, 0, 1, 1])
    >>> [round(value, 3) for value in mutual_information(bins, bins, np.ones(4))]
    [0.693, 0.693]
    """
    known = (a >= 0) & (b >= 0)
    a, b, counts = a[known], b[known], counts[known]
    width = int(b.max(initial=0)) + 1
    table = np.bincount(a * width + b, counts, (int(a.max(initial=0)) + 1) * width).reshape(-1, width)
    joint = table / max(table.sum(), 1.0)
    apart = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
    some = joint > 0.0
    return float((joint[some] * np.log(joint[some] / apart[some])).sum()), entropy(joint.sum(axis=0))


def entropy(shares: Floats) -> float:
    """Return the entropy of a distribution (M,), in nats."""
    some = shares[shares > 0.0]
    return float(-(some * np.log(some)).sum())


def information_gaps(codes: Floats, factors: Floats, weights: Floats) -> Floats:
    """Compute the mutual information gap of each factor.

        MIG_j = ( I(z_a; v_j) - I(z_b; v_j) ) / H(v_j)

    z_a and z_b are the two codes that know most about factor v_j (Chen, Li, Grosse and Duvenaud, Isolating
    sources of disentanglement in VAEs, 2018). Of the two, the estimate from a finite sample is too high by
    the same amount, which the difference does not contain.

    Args:
        codes: projections of N samples on B directions, (N, B).
        factors: scores of C concepts, (N, C); NaN is left out.
        weights: how often each sample counts, (R, N).

    Returns:
        (R, C), up to 1; NaN with one code.
    """
    if codes.shape[1] < 2:
        return np.full((len(weights), factors.shape[1]), np.nan)
    binned_codes, binned_factors = [binned(code) for code in codes.T], [binned(v) for v in factors.T]
    gaps = np.empty((len(weights), factors.shape[1]))
    for r, counts in enumerate(weights):
        for j, factor in enumerate(binned_factors):
            pairs = [mutual_information(code, factor, counts) for code in binned_codes]
            second, first = np.sort([shared for shared, _ in pairs])[-2:]
            gaps[r, j] = (first - second) / pairs[0][1] if pairs[0][1] > 0.0 else np.nan
    return gaps
