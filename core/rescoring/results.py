"""Effects with the names of their axes: which boundary, moved at which layers, changes which concept (method B)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..boundaries.learning_variance import errors_of
from ..figures import rankings
from ..figures.figure import Figure
from ..plugins.records import LEVELS, Boundaries
from ..statistics import null_moments
from .effects import (
    EffectArrays,
    effects_of,
    effects_of_looks,
    null_means,
    over_learning,
    samples_used,
    variation_factors,
)
from .hierarchy import Hierarchy, hierarchy_of
from .tables import html_of, ranked, rows_of

if TYPE_CHECKING:
    from pandas import DataFrame


Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Sums:
    """What re-scoring sums up, before anything is concluded.

    Attributes:
        sums: of effects.FIELDS of every direction, boundaries first: (B + R, S, 2, C, 5), or with looks by batch, (B + R, N, S, 2, C, 5).
        changes: of each boundary's own concept, (B, S, 2, K).
        relearnt: the same of what resampled learning samples give in place of each boundary, moved at `all`, (M, B, K); None without.
        dilutions: see boundaries.learning_variance.dilution, (B,).
        looks: numbers of samples after which sampling might stop; None where all were taken.
        batch: samples in a batch.
    """

    sums: Floats
    changes: Floats
    relearnt: Floats | None = None
    dilutions: Floats | None = None
    looks: tuple[int, ...] | None = None
    batch: int = 0


@dataclass(frozen=True)
class Effects(EffectArrays):
    """Effects of B boundaries on C concepts at S layer sets, with the names of these axes.

    `effects.mean[b, s, k, c]` is how much the score of concept c changes when samples are moved along boundary b at the layer
    set s, forwards (k = 0) or backwards (k = 1): mean over samples of s(c + lambda scale n) - s(c).

    Attributes:
        boundaries: axis 0; learnt ones first, then conditional ones.
        concepts: rows of run.json, axis 3 (C): id, level, sd, least, varies, ...
        sets: layer sets, axis 1.
        groups: which of them are the named groups.
        changes: each boundary's changes of its own concept in sd units, (B, S, 2, K). Where sampling
            stopped early the rest is NaN.
        own: column of each boundary's concept.
        factors: which boundaries are variation factors, (B,).
        null: FIELDS of the random directions' effects at the positive step, summed over samples, (R, S, C, 5).
        null_mean, null_sd: of the random directions' effects on each concept at all layers, (C,), as far as these are defined.
        step: lambda in units of w.
        rate: the false discovery rate that was asked for.
        used: samples that each boundary was moved on at each layer set, (B, S).
        null_used: the same of every null direction, (S,).
        learning_error: standard error of each boundary's effect at `all` due to the learning, (B,); NaN where it is not known.
        replicates: how many boundaries learnt again from resampled samples were moved at `all` for each, (B,).
    """

    boundaries: Boundaries
    concepts: list[dict[str, Any]]
    sets: Mapping[str, tuple[int, ...]]
    groups: Mapping[str, tuple[int, ...]]
    changes: Floats
    own: NDArray[np.int64]
    factors: NDArray[np.bool_]
    null: Floats
    null_mean: Floats
    null_sd: Floats
    step: float
    rate: float
    seed: int
    bootstrap: int
    used: NDArray[np.int64]
    null_used: NDArray[np.int64]
    learning_error: Floats
    replicates: NDArray[np.int64]

    @classmethod
    def of(
        cls,
        measured: Sums,
        *,
        boundaries: Boundaries,
        concepts: list[dict[str, Any]],
        sets: Mapping[str, tuple[int, ...]],
        groups: Mapping[str, tuple[int, ...]],
        samples: int,
        step: float,
        rate: float,
        seed: int,
        bootstrap: int,
    ) -> Effects:
        """Compute effects, intervals, p and q values from sums.

        Args:
            measured: the sums.
            boundaries: B of them.
            concepts: statistics of each, as in run.json, (C,).
            sets: layer sets by name, one of them `all`.
            groups: which layers are named groups.
            samples: K; with looks the most that were taken.
            step: lambda, in units of w.
            rate: of false discoveries among variation factors.
            seed: of the resamplings.
            bootstrap: how many of them.
        """
        count, all_set = len(boundaries), list(sets).index("all")
        ids = [row["id"] for row in concepts]
        own = np.array([ids.index(boundary.concept) for boundary in boundaries])
        unit = concept_units(concepts)
        sums = measured.sums
        if measured.looks is not None:
            boundary_sums, null_sums = sums[:count], sums[count:, :, :, 0]
            arrays = effects_of_looks(
                boundary_sums,
                null_sums,
                own,
                looks=measured.looks,
                step=measured.batch,
                unit=unit,
                all_set=all_set,
            )
            used = samples_used(sums, samples, measured.batch)
            sums = np.nansum(sums, axis=1)
        else:
            arrays = effects_of(
                sums[:count],
                sums[count:, :, 0],
                measured.changes,
                own,
                samples=samples,
                unit=unit,
                all_set=all_set,
            )
            used = np.full(sums.shape[:2], samples)
        learning_error, replicates = np.full(count, np.nan), np.zeros(count, dtype=np.int64)
        if measured.relearnt is not None and measured.dilutions is not None:
            learning_error, freedom = errors_of(measured.relearnt, measured.dilutions)
            arrays = over_learning(arrays, learning_error, freedom, own, all_set=all_set)
            replicates = (~np.isnan(measured.relearnt).all(axis=2)).sum(axis=0)
        varies = np.array([row["varies"] for row in concepts])
        _, null_mean, null_sd = null_moments(null_means(sums[count:, all_set, 0]))
        return cls(
            **vars(arrays),
            boundaries=boundaries,
            concepts=concepts,
            sets=sets,
            groups=groups,
            changes=measured.changes / unit[own][:, None, None, None],
            own=own,
            factors=variation_factors(arrays, own, varies, all_set=all_set, rate=rate),
            null=sums[count:, :, 0],
            null_mean=null_mean,
            null_sd=null_sd,
            step=step,
            rate=rate,
            seed=seed,
            bootstrap=bootstrap,
            used=used[:count],
            null_used=used[count],
            learning_error=learning_error,
            replicates=replicates,
        )

    @property
    def all_set(self) -> int:
        """Where the set `all` stands on axis 1."""
        return list(self.sets).index("all")

    @property
    def units(self) -> Floats:
        """What changes of each concept are divided by, (C,): see `concept_units`."""
        return concept_units(self.concepts)

    @property
    def constant(self) -> list[str]:
        """Ids of concepts whose scores are all the same, so that a change of them has no size."""
        return [row["id"] for row, unit in zip(self.concepts, self.units, strict=True) if np.isnan(unit)]

    @property
    def found(self) -> list[str]:
        """Names of the variation factors, strongest first, conditional directions left out."""
        return [self.boundaries[i].name for i in self.ranking() if self.factors[i]]

    def ranking(self, *, conditional: bool = False) -> list[int]:
        """Boundaries by their effect on their own concept in sd units at all layers, strongest first."""
        strength = self.in_sd[np.arange(len(self.own)), self.all_set, 0, self.own]
        rows = [i for i, b in enumerate(self.boundaries) if conditional or not b.given]
        return sorted(rows, key=lambda i: (np.isnan(strength[i]), -strength[i]))

    def null_gaps(self, at: int) -> dict[str, int]:
        """Of boundaries that some null directions could not be held against at a layer set: how many could.

        A null direction drops out where it leaves the concept undefined in every sample.
        """
        count = self.null_count[np.arange(len(self.own)), at, 0, self.own]
        return {
            boundary.name: int(n)
            for boundary, n in zip(self.boundaries, count, strict=True)
            if n < len(self.null)
        }

    def single_layers(self) -> list[int]:
        """Positions on axis 1 of the sets that are one layer, by layer; empty if not all were asked for."""
        count = len(self.sets["all"])
        names = list(self.sets)
        return (
            [names.index(str(layer)) for layer in range(count)]
            if count > 1 and all(str(layer) in names for layer in range(count))
            else []
        )

    def hierarchy(self, rows: Sequence[int] | None = None) -> Hierarchy | None:
        """Tell which level of meaning settles in which layer.

        Args:
            rows: boundaries to look at; None for all but conditional directions.

        Returns:
            None where single layers were not moved, or none of the boundaries is a variation factor.
        """
        layers = self.single_layers()
        rows = [i for i in (self.ranking() if rows is None else rows) if self.factors[i]]
        if not layers or not rows:
            return None
        return hierarchy_of(
            self.changes[rows][:, layers, 0],  # (F, L, K)
            [self.boundaries[i].name for i in rows],
            [self.boundaries[i].level for i in rows],
            LEVELS,
            self.groups,
            bootstrap=self.bootstrap,
            seed=self.seed,
        )

    def rows(self) -> list[dict[str, Any]]:
        """Return a row per boundary, layer set, sign and concept: the table of rescoring.csv."""
        return rows_of(self)

    def to_pandas(self) -> DataFrame:
        """Return `rows()` as a data frame.

        Raises:
            ImportError: pandas is not installed.
        """
        from pandas import DataFrame

        return DataFrame(self.rows())

    def plot(self) -> Figure:
        """Draw each boundary's effect on its own concept at all layers, with intervals; a notebook shows what is returned."""
        return rankings.ranking([ranked(self, i, self.all_set) for i in self.ranking()])

    def __repr__(self) -> str:
        """Name the sizes, not the numbers."""
        return f"Effects(boundaries={len(self.boundaries)}, sets={len(self.sets)}, concepts={len(self.concepts)}, factors={int(self.factors.sum())})"

    def _repr_html_(self) -> str:
        """Show a table of the boundaries in a notebook."""
        return html_of(self)


def concept_units(concepts: Sequence[Mapping[str, Any]]) -> Floats:
    """The size that changes of concepts are held against, (C,), from their rows in run.json.

    The larger of a concept's standard deviation and its least; NaN where both are 0, as they are for raw
    margins that do not vary: a change of such a concept cannot be told in its own spread.

    >>> concept_units([{"sd": 0.5, "least": 0.02}, {"sd": 0.0, "least": 0.02}, {"sd": 0.0, "least": 0.0}]).tolist()
    [0.5, 0.02, nan]
    """
    sizes = np.array([max(row["sd"], row["least"]) for row in concepts], dtype=np.float64)
    return np.where(sizes > 0.0, sizes, np.nan)
