"""Hold effects with the names of their axes: boundary, layer set, sign, concept (method B)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..boundaries.learning_variance import errors_of
from ..boundaries.null_directions import null_layers
from ..boundaries.targets import ways_of_choice
from ..errors import UserError
from ..figures import rankings
from ..figures.figure import Figure
from ..figures.notebook import data_frame
from ..plugins.boundary import Boundaries
from ..plugins.records import LEVELS
from ..runs.manifest import ConceptStats
from ..statistics import null_moments
from ..strata.moves import own_layers
from .effects import EffectArrays, by_kinds, effects_from, over_learning, variation_factors
from .hierarchy import Hierarchy, hierarchy_of
from .naming import NamedDirection, named_directions
from .null_comparison import NO_NULL
from .sums import Sums, null_means
from .tables import html_of, ranked, rows_of

if TYPE_CHECKING:
    from pandas import DataFrame


Floats = NDArray[np.float64]
NO_SINGLE_LAYERS = "single layers were not re-scored, so there is no hierarchy"


@dataclass(frozen=True)
class Effects(EffectArrays):
    """Hold the effects of B boundaries on C concepts at S layer sets, with the names of these axes.

    `effects.mean[i, s, k, j]` is the mean change of the score of concept j when samples are moved along
    boundary i at the layer set s, forwards (k = 0) or backwards (k = 1): mean of F_j(G(c + lambda scale n_i))
    - F_j(G(c)). The other arrays of this shape are described at `EffectArrays`.

    Attributes:
        boundaries: axis 0, (B,); learnt boundaries first, then conditional directions.
        concepts: statistics of each concept's scores, axis 3, (C,): id, level, sd, least, varies, ...
        sets: layers of each layer set by name, axis 1, (S,).
        groups: layers of each named group.
        changes: each boundary's changes of its own concept in sd units, (B, S, 2, K); NaN for samples that
            were not taken, because sampling stopped early, and where a boundary was not moved (`moved`).
        own: column of each boundary's concept, (B,).
        factors: whether each boundary is a variation factor, (B,).
        null: FIELDS of the null directions at the positive step, (G, R, S, C, 5). They are moved as
            boundaries are: at each of the G sets of layers that boundaries have, which is one if none has
            layers of its own.
        kind: which of the G each boundary is compared with, (B,).
        null_mean, null_sd: mean and standard deviation of the null directions' effects on each concept at all
            of their layers, (G, C). Undefined effects are left out.
        step: lambda, in units of w or s.
        rate: false discovery rate of the variation factors.
        seed: seed of the resamplings.
        bootstrap: number of resamplings for each bootstrap interval.
        used: number of samples that each boundary was moved forwards on at each layer set, (B, S).
        null_used: number of samples that null directions were moved on at each layer set, (G, S).
        learning_error: standard error of each boundary's effect at `all` due to learning, (B,); NaN where
            unknown.
        replicates: number of boundaries learnt again that were moved at `all`, for each boundary, (B,).
    """

    boundaries: Boundaries
    concepts: Sequence[ConceptStats]
    sets: Mapping[str, tuple[int, ...]]
    groups: Mapping[str, tuple[int, ...]]
    changes: Floats
    own: NDArray[np.int64]
    factors: NDArray[np.bool_]
    null: Floats
    kind: NDArray[np.int64]
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
        concepts: Sequence[ConceptStats],
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
            boundaries: the boundaries, (B,).
            concepts: statistics of each concept's scores, (C,).
            sets: layers of each layer set by name; `all` must be among them.
            groups: layers of each named group.
            samples: K, the most samples taken.
            step: lambda, in units of w or s.
            rate: false discovery rate of variation factors, in (0, 1).
            seed: seed of the resamplings.
            bootstrap: number of resamplings.
        """
        count, all_set = len(boundaries), list(sets).index("all")
        layers, kind = null_layers(boundaries)
        ids = [concept.id for concept in concepts]
        own = np.array([ids.index(boundary.concept) for boundary in boundaries])
        unit, ways = concept_units(concepts), ways_of_choice(boundaries)
        arrays, sums, used = effects_from(
            measured, own, len(layers), samples=samples, unit=unit, all_set=all_set, ways=ways, kind=kind
        )
        learning_error, replicates = np.full(count, np.nan), np.zeros(count, dtype=np.int64)
        if measured.relearnt is not None and measured.dilutions is not None:
            learning_error, freedom = errors_of(measured.relearnt, measured.dilutions)
            arrays = over_learning(arrays, learning_error, freedom, own, all_set=all_set)
            replicates = (~np.isnan(measured.relearnt).all(axis=2)).sum(axis=0)
        varies = np.array([concept.varies for concept in concepts])
        null = by_kinds(sums[count:, :, 0], len(layers))  # (G, R, S, C, 5)
        moments = [null_moments(null_means(each[:, all_set])) for each in null]
        return cls(
            **vars(arrays),
            boundaries=boundaries,
            concepts=concepts,
            sets=sets,
            groups=groups,
            changes=measured.changes / unit[own][:, None, None, None],
            own=own,
            factors=variation_factors(arrays, own, varies, all_set=all_set, rate=rate),
            null=null,
            kind=kind,
            null_mean=np.stack([mean for _, mean, _ in moments]),
            null_sd=np.stack([sd for _, _, sd in moments]),
            step=step,
            rate=rate,
            seed=seed,
            bootstrap=bootstrap,
            used=used[:count],
            null_used=by_kinds(used[count:], len(layers)).max(axis=1, initial=0),
            learning_error=learning_error,
            replicates=replicates,
        )

    def null_of(self, i: int) -> Floats:
        """Return FIELDS of the null directions that boundary i is compared with, (R, S, C, 5)."""
        return np.asarray(self.null[self.kind[i]])

    @property
    def has_null(self) -> bool:
        """Whether null directions were moved. Without them p, q and rank are NaN, and nothing is a factor."""
        return bool(self.null.shape[1] > 0)

    @property
    def all_set(self) -> int:
        """Position of the layer set `all` on axis 1."""
        return list(self.sets).index("all")

    @property
    def pairs(self) -> NDArray[np.int64]:
        """Number of samples that each boundary was moved on, forwards and backwards, (B, S, 2)."""
        return np.asarray((self.count + self.undefined).max(axis=3), dtype=np.int64)

    @property
    def moved(self) -> NDArray[np.bool_]:
        """Whether each boundary was moved, forwards and backwards, at each layer set, (B, S, 2)."""
        return (self.pairs > 0) & self.reached[..., None]

    @property
    def reached(self) -> NDArray[np.bool_]:
        """Whether each layer set has a layer that the boundary moves, (B, S); elsewhere effects are 0."""
        rows = [
            [bool(own_layers(boundary, layers)) for layers in self.sets.values()]
            for boundary in self.boundaries
        ]
        return np.array(rows, dtype=bool).reshape(len(self.boundaries), len(self.sets))

    @property
    def free(self) -> NDArray[np.bool_]:
        """Whether each boundary may move all layers, (B,), so that it can show in which of them it acts."""
        every = self.sets["all"]
        return np.array([len(own_layers(b, every)) == len(every) for b in self.boundaries], dtype=bool)

    @property
    def units(self) -> Floats:
        """Return the divisors (C,) that give changes in sd units, as `concept_units` computes them."""
        return concept_units(self.concepts)

    @property
    def constant(self) -> list[str]:
        """Return the ids of concepts with constant scores; their changes cannot be given in sd units."""
        return [concept.id for concept, unit in zip(self.concepts, self.units, strict=True) if np.isnan(unit)]

    @property
    def factor_names(self) -> list[str]:
        """Names of the variation factors, strongest first, without conditional boundaries."""
        return [self.boundaries[i].name for i in self.ranking() if self.factors[i]]

    def ranking(self, *, conditional: bool = False) -> list[int]:
        """Rank boundaries by the effect on their own concept at all layers in sd units.

        Args:
            conditional: whether to include conditional boundaries.

        Returns:
            Positions of the boundaries, strongest first; those with an undefined effect come last.
        """
        strength = self.in_sd[np.arange(len(self.own)), self.all_set, 0, self.own]
        rows = [i for i, b in enumerate(self.boundaries) if conditional or not b.given]
        return sorted(rows, key=lambda i: (np.isnan(strength[i]), -strength[i]))

    def null_gaps(self, at: int) -> dict[str, int]:
        """Return the number of usable null directions, by name, for boundaries that lack some.

        A null direction cannot be compared with a boundary if it leaves the concept's score undefined in
        every sample.

        Args:
            at: position of the layer set.
        """
        count = self.null_count[np.arange(len(self.own)), at, 0, self.own]
        return {
            boundary.name: int(n)
            for boundary, n in zip(self.boundaries, count, strict=True)
            if n < self.null.shape[1]
        }

    def single_layers(self) -> list[int]:
        """Return the positions of the single layers on axis 1, in order; empty if any is missing."""
        count = len(self.sets["all"])
        names = list(self.sets)
        return (
            [names.index(str(layer)) for layer in range(count)]
            if count > 1 and all(str(layer) in names for layer in range(count))
            else []
        )

    def missing_hierarchy(self, rows: Sequence[int] | None = None) -> str:
        """Return why there is no hierarchy of these boundaries (see `hierarchy`); empty if there is one."""
        if len(self.sets["all"]) == 1:
            return "this generator has one layer, so layer-wise analysis does not apply"
        asked = self.ranking() if rows is None else list(rows)
        if asked and not self.free[asked].any():
            return "all these directions move layers of their own alone, so layers cannot be compared"
        if not self.single_layers():
            return NO_SINGLE_LAYERS
        if asked and not self.has_null:
            return f"{NO_NULL}; a hierarchy is one of variation factors"
        factors = [i for i in asked if self.factors[i]]
        if not factors:
            return "none of the requested concepts is a variation factor, so layers cannot be compared"
        if not self.free[factors].any():
            return "all these directions move layers of their own alone, so layers cannot be compared"
        return ""

    def hierarchy(self, rows: Sequence[int] | None = None) -> Hierarchy:
        """Estimate which layers decide which level of meaning (see `hierarchy_of`).

        Args:
            rows: positions of the boundaries to use; None for all but conditional directions. Only variation
                factors count, and of these only boundaries that may move all layers: one that moves layers
                of its own alone says nothing of the others.

        Raises:
            UserError: single layers were not moved, or none of the boundaries is a variation factor.
        """
        missing = self.missing_hierarchy(rows)
        if missing:
            way_out = "; give rescore() layers=['all', 'each']" if missing == NO_SINGLE_LAYERS else ""
            raise UserError(f"{missing}{way_out}")
        layers = self.single_layers()
        usable = self.factors & self.free
        rows = [i for i in (self.ranking() if rows is None else rows) if usable[i]]
        return hierarchy_of(
            self.changes[rows][:, layers, 0],  # (F, L, K)
            [self.boundaries[i].name for i in rows],
            [self.boundaries[i].level for i in rows],
            LEVELS,
            self.groups,
            bootstrap=self.bootstrap,
            seed=self.seed,
        )

    def directions(self) -> list[NamedDirection]:
        """Name the directions that were found without labels by what they move (see `named_directions`)."""
        return named_directions(self)

    def rows(self) -> list[dict[str, Any]]:
        """Return the rows of rescoring.csv, one per boundary, layer set, sign and concept that was moved."""
        return [row._asdict() for row in rows_of(self)]

    def to_pandas(self) -> DataFrame:
        """Return `rows()` as a data frame.

        Raises:
            ImportError: pandas is not installed.
        """
        return data_frame(self.rows())

    def plot(self) -> Figure:
        """Draw the effect of each boundary on its own concept at all layers, with intervals."""
        return rankings.ranking([ranked(self, i, self.all_set) for i in self.ranking()])

    def __repr__(self) -> str:
        """Return the sizes of the axes and the number of variation factors, as `factor_names` lists them."""
        return (
            f"Effects(boundaries={len(self.boundaries)}, sets={len(self.sets)}, "
            f"concepts={len(self.concepts)}, factors={len(self.factor_names)})"
        )

    def _repr_html_(self) -> str:
        """Return the table of boundaries that a notebook shows."""
        return html_of(self)


def concept_units(concepts: Sequence[ConceptStats]) -> Floats:
    """Return the divisors that give changes in sd units, (C,): max(sd, least) of each concept.

    `least` keeps a tiny standard deviation from making an invariant concept look like a factor (method B).
    Both are 0 for raw margins that do not vary. Their divisor is NaN, because changes have no scale.

    Args:
        concepts: statistics of each concept's scores, (C,); only `sd` and `least` are read.

    >>> pairs = [(0.5, 0.02), (0.0, 0.02), (0.0, 0.0)]
    >>> concept_units([ConceptStats.model_construct(sd=sd, least=least) for sd, least in pairs]).tolist()
    [0.5, 0.02, nan]
    """
    sizes = np.array([max(concept.sd, concept.least) for concept in concepts], dtype=np.float64)
    return np.where(sizes > 0.0, sizes, np.nan)
