"""What re-scoring found, read back from a run: effects, factors, and the table people open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..boundaries.files import load_boundaries
from ..boundaries.learning_variance import errors_of
from ..boundaries.relearnt import FILE as RESAMPLED_FILE
from ..boundaries.relearnt import Resampled
from ..plugins.records import Boundaries
from ..runs.run import Run
from ..statistics import null_moments
from ..storage.csv_tables import csv_text
from ..storage.disk import write_text
from ..storage.shards import Shards
from .effects import SIGNS, EffectArrays, effects_of, effects_of_looks, null_means, over_learning, samples_used, variation_factors
from .interim import look_sizes

Floats = NDArray[np.float64]

COLUMNS = (
    "boundary", "boundary_level", "layers", "concept", "concept_level", "samples", "clipped_mean", "mean", "standard_error",
    "low", "high", "mean_in_sd", "p_value", "q_value", "step", "undefined", "made_undefined", "rank_p", "null_directions",
    "low_total", "high_total",
)  # fmt: skip


@dataclass(frozen=True)
class Effects(EffectArrays):
    """Effects of a run with the names of their axes.

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
    def read(cls, run: Run) -> Effects:
        """Compute the effects from the sums in rescoring.zarr."""
        config = run.config
        boundaries, _ = load_boundaries(run.path)
        concepts = run.concepts
        ids = [row["id"] for row in concepts]
        own = np.array([ids.index(boundary.concept) for boundary in boundaries])
        unit = concept_units(concepts)
        sets = {name: tuple(layers) for name, layers in run.record.layer_sets.items()}
        everywhere = list(sets).index("all")
        rescoring, seed = config.rescoring, config.synthesis.seed
        units, count = Shards(run.path / "rescoring.zarr"), len(boundaries)
        if rescoring.adaptive:
            step, looks = look_sizes(rescoring.samples, rescoring.looks, run.batch)
            sums, own_changes = _merged(units, everywhere)  # (directions, batches, S, 2, C, 5), (B, S, 2, K)
            effects = effects_of_looks(sums[:count], sums[count:, :, :, 0], own, looks=looks, step=step, unit=unit, all_set=everywhere)
            used = samples_used(sums, rescoring.samples, step)
            sums = np.nansum(sums, axis=1)
        else:
            sums = units.read("sums").sum(axis=1)  # (directions, S, 2, C, 5) over batches
            own_changes = units.read("own").astype(np.float64)
            effects = effects_of(
                sums[:count],
                sums[count:, :, 0],
                own_changes,
                own,
                samples=rescoring.samples,
                unit=unit,
                all_set=everywhere,
            )
            used = np.full(sums.shape[:2], rescoring.samples)
        learning_error, replicates = np.full(count, np.nan), np.zeros(count, dtype=np.int64)
        if "learn" in run.record.stages and RESAMPLED_FILE in run.record.stages["learn"].files:
            resampled, relearnt = Resampled.load(run.path, boundaries), units.read("resampled").astype(np.float64)
            learning_error, freedom = errors_of(relearnt, resampled.dilutions(boundaries))
            effects = over_learning(effects, learning_error, freedom, own, all_set=everywhere)
            replicates = (resampled.learnt & ~np.isnan(relearnt).all(axis=2)).sum(axis=0)
        varies = np.array([row["varies"] for row in concepts])
        _, null_mean, null_sd = null_moments(null_means(sums[count:, everywhere, 0]))
        factors = variation_factors(effects, own, varies, all_set=everywhere, rate=rescoring.false_discovery_rate)
        return cls(
            boundaries=boundaries,
            concepts=concepts,
            sets=sets,
            groups={name: tuple(layers) for name, layers in run.record.groups.items()},
            **vars(effects),
            changes=own_changes / unit[own][:, None, None, None],
            own=own,
            factors=factors,
            null=sums[count:, :, 0],
            null_mean=null_mean,
            null_sd=null_sd,
            step=rescoring.distance * run.step_unit,
            rate=rescoring.false_discovery_rate,
            seed=seed,
            bootstrap=rescoring.bootstrap,
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
        return {boundary.name: int(n) for boundary, n in zip(self.boundaries, count, strict=True) if n < len(self.null)}

    def single_layers(self) -> list[int]:
        """Positions on axis 1 of the sets that are one layer, by layer; empty if not all were asked for."""
        count = len(self.sets["all"])
        names = list(self.sets)
        return [names.index(str(layer)) for layer in range(count)] if count > 1 and all(str(layer) in names for layer in range(count)) else []


def concept_units(concepts: Sequence[Mapping[str, Any]]) -> Floats:
    """The size that changes of concepts are held against, (C,), from their rows in run.json.

    The larger of a concept's standard deviation and its least; NaN where both are 0, as they are for raw
    margins that do not vary: a change of such a concept cannot be told in its own spread.

    >>> concept_units([{"sd": 0.5, "least": 0.02}, {"sd": 0.0, "least": 0.02}, {"sd": 0.0, "least": 0.0}]).tolist()
    [0.5, 0.02, nan]
    """
    sizes = np.array([max(row["sd"], row["least"]) for row in concepts], dtype=np.float64)
    return np.where(sizes > 0.0, sizes, np.nan)


def _merged(units: Shards, everywhere: int) -> tuple[Floats, Floats]:
    """Sums by batch and own changes of adaptive sampling, with those at the set `all` in their place."""
    sums, own = units.read("sums"), units.read("own").astype(np.float64)
    sums[:, :, everywhere] = units.read("sums_all")[:, :, 0]
    own[:, everywhere] = units.read("own_all")[:, 0]
    return sums, own


def write_table(rescored: Effects, path: Path) -> None:
    """rescoring.csv: a row per boundary, layer set, sign and concept."""
    rows: list[Sequence[Any]] = [COLUMNS]
    effects = rescored
    for i, boundary in enumerate(rescored.boundaries):
        for s, name in enumerate(rescored.sets):
            for k, sign in enumerate(SIGNS):
                for j, concept in enumerate(rescored.concepts):
                    at = (i, s, k, j)
                    values = (effects.clipped, effects.mean, effects.error, effects.low, effects.high, effects.in_sd, effects.p, effects.q)
                    rows.append(
                        [
                            boundary.name,
                            boundary.level,
                            name,
                            concept["id"],
                            concept["level"],
                            int(effects.count[at]),
                            *(float(array[at]) for array in values),
                            float(sign * rescored.step),
                            int(effects.undefined[at]),
                            int(effects.made_undefined[at]),
                            float(effects.rank[at]),
                            float(effects.null_count[at]),
                            float(effects.low_total[at]),
                            float(effects.high_total[at]),
                        ]
                    )
    write_text(path, csv_text(rows))
