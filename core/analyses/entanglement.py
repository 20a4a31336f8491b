"""Measure entanglement: how each direction changes every other concept (paper, fig. 8). Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..rescoring.results import Effects
from ..rescoring.tables import in_sd_with_interval
from ..statistics import benjamini_hochberg, interval
from .labelled_runs import LabelledRun
from .ranking import by_strength
from .request import AnalysisRequest, select_boundaries, select_layer_set

Floats = NDArray[np.float64]

MIN_CONCEPTS = 4  # fewest concepts for which the explained share is computed


class PairEffect(NamedTuple):
    """Hold the effect of a boundary on a concept at a layer set.

    Attributes:
        boundary, boundary_level: name and level of the boundary.
        concept, concept_level: name and level of the concept.
        own: whether it is the concept of the boundary, or the target of a direction found without labels.
        mean_in_sd, low, high: mean change in sd units with its 95 % interval.
        q_value: corrected p value, see `q_values`.
        significant: whether it is below the false discovery rate.
        cosine: between the normals of the boundary and of the one learnt from the concept's labels; NaN if
            there is none.
    """

    boundary: str
    boundary_level: str
    concept: str
    concept_level: str
    own: bool
    mean_in_sd: float
    low: float
    high: float
    q_value: float
    significant: bool
    cosine: float


class Explained(NamedTuple):
    """Hold the share of the squared effects on other concepts that cosines explain, with its interval."""

    concepts: int
    share_explained_by_cosine: float
    low: float
    high: float


@dataclass(frozen=True)
class Entanglement:
    """Hold the effects of directions on concepts at a layer set.

    Attributes:
        set_name: name of the layer set.
        at: its position.
        rows: positions of the M boundaries, in the order to show.
        conditional: positions of the conditional directions.
        explained: what cosines explain, between the normals that were learnt from labels.
        unmoved: names of the boundaries that move none of these layers, which are left out.
        pairs: effects of all these directions on all scored concepts.
        requested: those of `pairs` whose concept was asked for.
    """

    set_name: str
    at: int
    rows: tuple[int, ...]
    conditional: tuple[int, ...]
    explained: Explained
    pairs: tuple[PairEffect, ...]
    requested: tuple[PairEffect, ...]
    unmoved: tuple[str, ...] = ()

    @property
    def beyond(self) -> list[PairEffect]:
        """Requested effects on other concepts beyond null directions, largest first."""
        significant = (pair for pair in self.requested if not pair.own and pair.significant)
        return sorted(significant, key=lambda pair: -abs(pair.mean_in_sd))

    @property
    def tested(self) -> int:
        """Number of requested effects on other concepts with a q value."""
        return sum(not pair.own and not np.isnan(pair.q_value) for pair in self.requested)


def q_values(effects: Effects, at: int) -> Floats:
    """Return p values at a layer set, corrected for the false discovery rate, (B, C).

    Own concepts are one family of tests, and all other pairs of the run are another. Boundaries that move
    none of these layers have no test there.
    Source: Benjamini and Hochberg (1995).
    """
    q = np.array(effects.q[:, at, 0])
    q[~effects.reached[:, at]] = np.nan
    others = np.ones(q.shape, dtype=bool) & effects.reached[:, [at]]
    others[np.arange(len(q)), effects.own] = False
    q[others] = benjamini_hochberg(effects.p[:, at, 0][others])
    return q


def cosines(effects: Effects, rows: Sequence[int], layers: Sequence[int] | None = None) -> Floats:
    """Compute the cosines between normals, (M, M).

    A boundary with one normal per layer counts as one long vector, over `layers` if they are given. Normals
    in s are compared whole.
    """
    normals = []
    for i in rows:
        normal = effects.boundaries[i].normal.astype(np.float64)
        normals.append((normal[list(layers)] if layers is not None and normal.ndim == 2 else normal).ravel())
    stacked = np.stack(normals)
    lengths = np.linalg.norm(stacked, axis=1, keepdims=True)
    stacked /= np.where(lengths == 0.0, 1.0, lengths)
    return stacked @ stacked.T


def explained(values: Floats, cosine: Floats, *, resamplings: int, seed: int) -> tuple[float, float, float]:
    """Compute the share of the squared off-diagonal effects that cosines between normals explain.

    If a concept changed only as far as the code moves along that concept's own normal, direction i would
    change concept j by cos(i, j) e_jj. The share, over all i != j, is

        1 - sum (e_ij - cos(i, j) e_jj)^2 / sum e_ij^2;

    it is negative where this prediction is worse than predicting no effect. The interval resamples concepts.
    Because each concept is in many pairs, the interval is wide for few concepts; it covered the truth in 92
    to 97 % of simulated sets of 4 to 20 concepts.

    Args:
        values: effects e (M, M) in sd units; rows are directions.
        cosine: cosines between normals, (M, M).
        resamplings: number of resamplings.
        seed: seed of the resamplings.

    Returns:
        The share and its 95 % interval; NaN for fewer than MIN_CONCEPTS concepts, or if all effects are zero.
    """
    predicted = cosine * np.diagonal(values)[None, :]
    known = ~(np.isnan(values) | np.isnan(predicted)) & ~np.eye(len(values), dtype=bool)
    squares = np.where(known, values, 0.0) ** 2
    residual = np.where(known, values - predicted, 0.0) ** 2
    if len(values) < MIN_CONCEPTS or squares.sum() == 0.0:
        return np.nan, np.nan, np.nan
    rng = np.random.default_rng([seed, len(values), resamplings])
    counts = rng.multinomial(len(values), np.full(len(values), 1.0 / len(values)), size=resamplings)
    weights = counts.astype(np.float64)  # (R, M)
    total, rest = (np.einsum("ri,ij,rj->r", weights, part, weights) for part in (squares, residual))
    with np.errstate(invalid="ignore", divide="ignore"):
        low, high = interval(np.where(total > 0.0, 1.0 - rest / total, np.nan))
    return float(1.0 - residual.sum() / squares.sum()), float(low), float(high)


def clustered(values: Floats) -> list[int]:
    """Return an order of the M concepts that places concepts which move each other next to each other.

    The order is that of the leaves of average-linkage clustering, optimally ordered. The similarity of two
    concepts is the larger of |e_ij| and |e_ji|.
    """
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    if len(values) < 3:
        return list(range(len(values)))
    similarity = np.nan_to_num(np.abs(values))
    similarity = np.maximum(similarity, similarity.T)
    np.fill_diagonal(similarity, 0.0)
    distance = similarity.max() - similarity
    np.fill_diagonal(distance, 0.0)
    return [
        int(i)
        for i in leaves_list(linkage(squareform(distance, checks=False), "average", optimal_ordering=True))
    ]


def entangle(source: LabelledRun, request: AnalysisRequest) -> Entanglement:
    """Compute the effects of all directions on all concepts at a layer set, and what cosines explain of them.

    Raises:
        GanstrataError: the request does not fit the run.
    """
    effects = source.effects
    name, at = select_layer_set(effects, request.layers)
    requested_rows = select_boundaries(effects, request, by_strength(effects, at, conditional=True))
    selected = [i for i in requested_rows if effects.reached[i, at]]
    rows = [i for i in selected if not effects.boundaries[i].given][: request.top]
    names = {effects.boundaries[i].unconditional_name for i in rows}
    conditional = tuple(
        i
        for i in selected
        if effects.boundaries[i].given
        and (request.top is None or effects.boundaries[i].unconditional_name in names)
    )
    if request.cluster:
        rows = [rows[k] for k in clustered(_between(effects, rows, at))]
    labelled = [i for i in rows if not effects.boundaries[i].direction]
    cosine = cosines(effects, labelled, effects.sets[name]) if labelled else np.zeros((0, 0))
    values = _between(effects, labelled, at)
    share = explained(values, cosine, resamplings=effects.bootstrap, seed=effects.seed)
    pairs = _pairs(effects, [*rows, *conditional], at)
    requested = tuple(
        pair
        for pair in pairs
        if (not request.concepts or any(fnmatchcase(pair.concept, pattern) for pattern in request.concepts))
        and (not request.levels or pair.concept_level in request.levels)
    )
    return Entanglement(
        name,
        at,
        tuple(rows),
        conditional,
        Explained(len(labelled), *share),
        pairs,
        requested,
        tuple(effects.boundaries[i].name for i in requested_rows if i not in selected),
    )


def _between(effects: Effects, rows: Sequence[int], at: int) -> Floats:
    """Return the effects of these boundaries on the concepts of all of them, in sd units, (M, M)."""
    return np.asarray(effects.in_sd[list(rows), at, 0][:, effects.own[list(rows)]])


def _pairs(effects: Effects, rows: Sequence[int], at: int) -> tuple[PairEffect, ...]:
    """Return the effects of these boundaries on every scored concept."""
    q = q_values(effects, at)
    layers = list(effects.sets.values())[at]
    with_boundary = {
        int(effects.own[i]): i for i in by_strength(effects, at) if not effects.boundaries[i].direction
    }
    pairs = []
    for i in rows:
        boundary = effects.boundaries[i]
        for j, concept in enumerate(effects.concepts):
            mean, low, high = in_sd_with_interval(effects, i, at, j)
            pairs.append(
                PairEffect(
                    boundary=boundary.name,
                    boundary_level=boundary.level,
                    concept=concept.id,
                    concept_level=concept.level,
                    own=bool(j == effects.own[i]),
                    mean_in_sd=mean,
                    low=low,
                    high=high,
                    q_value=float(q[i, j]),
                    significant=bool(q[i, j] < effects.rate),
                    cosine=float(cosines(effects, [i, with_boundary[j]], layers)[0, 1])
                    if j in with_boundary
                    else np.nan,
                )
            )
    return tuple(pairs)
