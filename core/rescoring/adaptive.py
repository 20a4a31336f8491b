"""Schedule adaptive re-scoring: which samples to move along which direction, at which layer sets (method B).

1. Decide at the set `all`. Each boundary goes through the interim analyses (looks) until it is a variation
   factor whose effect is known to `precision`, or until it is futile: it cannot become one. A look there
   costs one layer set of many.
2. Confirm. For each variation factor, the boundaries learnt again from resampled samples are moved at `all`,
   on half of the samples that the factor itself was moved on (at least 32). Only factors whose interval over
   learning samples lies above zero as well remain.
3. Resolve the other layer sets. Each boundary has the first look at each of them. Only variation factors go
   on, at each set until half the width of its interval is `precision` times the boundary's effect at `all`.
   Looks there spend no error rate, so they are early and many (`layer_looks`).

No decision rests on backward steps: at `all` boundaries have them on samples of the first look, at most 32.
Null directions are moved at `all` as far as the boundary with the most samples, but on no more than
`null_samples`: their spread is mostly that of directions, and what fewer samples add to it is allowed for
(`extra_variance`). At the other sets they have the first look alone: what a boundary's layers do is told by
intervals, and more null samples would be most of the work. The schedule depends on stored results alone, so a
continued run follows the same one.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..boundaries.learning_variance import errors_of, replicate_samples
from ..config.schema import Rescoring
from ..statistics import null_moments, null_p_value
from ..storage.shards import Shards
from .effects import EffectArrays, effects_of_looks, over_learning, variation_factors
from .interim import SMALLEST, half_width, layer_looks, look_sizes, null_samples
from .sums import LookSums, null_means

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

DECIDING, RESOLVING, RESAMPLED = "all", "layers", "resampled"
"""Names of the three steps; each has arrays of its own, because they are written at different times."""


class ScheduledMove(NamedTuple):
    """Represent a batch of samples to move along one direction at some layer sets.

    Attributes:
        part: the step that the move belongs to: DECIDING, RESOLVING or RESAMPLED.
        start: first sample of the batch.
        direction: position of the direction, boundaries first; for RESAMPLED, of the boundary learnt again.
        sets: positions of the layer sets.
    """

    part: str
    start: int
    direction: int
    sets: tuple[int, ...]


@dataclass(frozen=True)
class Design:
    """Hold the interim design of a run: what is tested, when, and how precisely.

    Attributes:
        own: column of each boundary's concept, (B,).
        varies: whether each concept varies, (C,).
        units: size of a change of one sd, for each concept, (C,).
        null: number of null directions R at each of the G sets of layers that boundaries have; they follow
            the boundaries.
        sets: number of layer sets S.
        all_set: position of the set `all` among them.
        step: samples in a batch.
        looks: number of samples at each look at `all`, ascending.
        layer_looks: number of samples at each look at the other sets, ascending.
        null_samples: most samples that null directions are moved on at `all`.
        backward: most samples that boundaries are moved backwards on at `all`.
        precision: largest half width of an interval that stops sampling, relative to the effect at `all`.
        rate: false discovery rate, in (0, 1).
        dilutions: `boundaries.learning_variance.dilution` of each boundary, (B,); None if no boundary was
            learnt again.
        ways: from how many concepts and senses each own concept was chosen, (B,); None for no choice.
        kind: which of the G each boundary is compared with, (B,); None if there is one.
    """

    own: NDArray[np.int64]
    varies: Mask
    units: Floats
    null: int
    sets: int
    all_set: int
    step: int
    looks: tuple[int, ...]
    layer_looks: tuple[int, ...]
    null_samples: int
    backward: int
    precision: float
    rate: float
    dilutions: Floats | None = None
    ways: NDArray[np.int64] | None = None
    kind: NDArray[np.int64] | None = None

    @property
    def kinds(self) -> NDArray[np.int64]:
        """Which of the G each boundary is compared with, (B,)."""
        return np.zeros(len(self.own), dtype=np.int64) if self.kind is None else self.kind

    @classmethod
    def of(
        cls,
        config: Rescoring,
        batch: int,
        own: NDArray[np.int64],
        varies: Mask,
        units: Floats,
        sets: list[str],
        dilutions: Floats | None = None,
        ways: NDArray[np.int64] | None = None,
        kind: NDArray[np.int64] | None = None,
    ) -> Design:
        """Build the design from the config of a run; `batch` is the largest number of images in one pass."""
        step, looks = look_sizes(config.samples, config.looks, batch)
        return cls(
            own,
            varies,
            units,
            config.null_directions,
            len(sets),
            sets.index("all"),
            step,
            looks,
            layer_looks(config.samples, step),
            null_samples(config.samples, step),
            min(looks[0], 2 * SMALLEST),
            config.precision,
            config.false_discovery_rate,
            dilutions,
            ways,
            kind,
        )


def rounds(design: Design, units: Shards) -> Iterator[list[ScheduledMove]]:
    """Yield the moves of one look after another.

    The caller must carry out and store each list before it asks for the next one.
    """
    factors, scale = yield from _decide(design, units)
    if design.dilutions is not None:
        factors = yield from _confirm(design, units, factors, design.dilutions)
    if design.sets > 1:
        yield from _resolve(design, units, factors, scale)


def _decide(design: Design, units: Shards) -> Generator[list[ScheduledMove], None, tuple[Mask, Floats]]:
    """Yield the looks at `all`; return the mask of variation factors (B,) and the effect sizes (B,)."""
    active = np.ones(len(design.own), dtype=bool)
    before = 0
    for look in design.looks:
        at_all = np.zeros((len(active), design.sets), dtype=bool)
        at_all[:, design.all_set] = active
        yield _moves(design, DECIDING, at_all, before, look, null=design.null_samples)
        factors, futile, precise, scale = judge(
            design, _decisive(units), units.read(f"own_{DECIDING}").astype(np.float64), look
        )
        active &= ~(futile | (factors & precise))
        before = look
        if not active.any():
            break
    return factors, scale


def _confirm(
    design: Design, units: Shards, factors: Mask, dilutions: Floats
) -> Generator[list[ScheduledMove], None, Mask]:
    """Yield moves of the boundaries learnt again for each factor; return the mask of those left (B,)."""
    if not factors.any():
        return factors
    sums = _summed(design, _decisive(units))
    reached = sums.used(design.looks[-1], design.step)[:, 0]  # (B + G R,)
    wanted = {int(i): replicate_samples(int(reached[i]), design.step) for i in np.flatnonzero(factors)}
    starts = range(0, max(wanted.values()), design.step)
    yield [
        ScheduledMove(RESAMPLED, start, i, (design.all_set,))
        for start in starts
        for i, count in wanted.items()
        if start < count
    ]
    error, freedom = errors_of(units.read(RESAMPLED).astype(np.float64), dilutions)
    effects = over_learning(_effects(design, sums), error, freedom, design.own, all_set=0)
    return variation_factors(effects, design.own, design.varies, all_set=0, rate=design.rate)


def _resolve(design: Design, units: Shards, factors: Mask, scale: Floats) -> Iterator[list[ScheduledMove]]:
    """Yield the looks at the other layer sets."""
    active = np.ones((len(design.own), design.sets), dtype=bool)
    active[:, design.all_set] = False
    before = 0
    for look in design.layer_looks:
        yield _moves(design, RESOLVING, active, before, look, null=design.layer_looks[0])
        half = half_width(units.read("own")[:, :, 0, :look].astype(np.float64))  # (B, S)
        active &= factors[:, None] & ~(half <= design.precision * scale[:, None])
        before = look
        if not active.any():
            break


def _decisive(units: Shards) -> Iterator[Floats]:
    """Yield the FIELDS of each direction at `all` by batch, (N, 1, 2, C, 5), one after the other."""
    name = f"sums_{DECIDING}"
    for d in range(units.shape(name)[0]):
        yield units.read(name, (d,))


def judge(design: Design, sums: Iterable[Floats], own: Floats, look: int) -> tuple[Mask, Mask, Mask, Floats]:
    """Analyse the effects at `all` after a look.

    A boundary is futile if its concept does not vary, or if neither its p value nor the p value of the most
    that its effect may be is at most `rate`. That is the upper end of its interval plus 1 sd / (n + 1): one
    more sample might change by 1 sd. The first samples may well miss the changes of a score that jumps, and
    the interval is then a point. While all null effects are equal, nothing is futile. The correction for
    multiple tests only makes p values larger, so stopping for futility can lose findings but adds no false
    ones.

    Args:
        design: the interim design.
        sums: FIELDS of each direction at `all` by batch, (N, 1, 2, C, 5) each; NaN where not moved.
        own: each boundary's changes of its own concept, (B, 1, 2, K).
        look: number of samples at this look.

    Returns:
        Four arrays (B,): whether the boundary is a variation factor at this look, whether it is futile,
        whether its effect is known to `precision`, and the size of the effect.
    """
    columns, rows = design.own, np.arange(len(design.own))
    # The arrays of a continued or checked run may hold samples beyond this look.
    batches = -(-look // design.step)
    summed, own = _summed(design, (parts[:batches] for parts in sums)), own[..., :look]
    effects = _effects(design, summed)
    factors = variation_factors(effects, columns, design.varies, all_set=0, rate=design.rate)
    null = summed.total[len(rows) :, 0, 0]  # (G R, C, 5)
    chance = null_means(null).reshape(-1, design.null, null.shape[1])  # (G, R, C)
    null_effects = chance[design.kinds, :, columns].T  # (R, B)
    most = effects.high[rows, 0, 0, columns] + design.units[columns] / (look + 1.0)  # (B,)
    spread = null_moments(null_effects)[2]
    best = np.where(spread > 0.0, null_p_value(most, null_effects, two_sided=False), 0.0)
    futile = ((effects.p[rows, 0, 0, columns] > design.rate) & (best > design.rate)) | ~design.varies[columns]
    scale = np.abs(effects.mean[rows, 0, 0, columns])
    return factors, futile, half_width(own[:, 0, 0]) <= design.precision * scale, scale


def _summed(design: Design, directions: Iterable[Floats]) -> LookSums:
    """Sum up the FIELDS of all directions at `all`, given as for `judge`."""
    ends = [-(-look // design.step) for look in (*design.looks, design.layer_looks[0])]
    return LookSums.of(directions, len(design.own), design.null, ends[:-1], ends[-1], all_set=0)


def _effects(design: Design, sums: LookSums) -> EffectArrays:
    """Compute effects at `all`."""
    return effects_of_looks(
        sums,
        design.own,
        looks=design.looks,
        step=design.step,
        unit=np.ones(sums.total.shape[-2]),
        all_set=0,
        ways=design.ways,
        kind=design.kinds,
    )


def _moves(
    design: Design, part: str, active: Mask, before: int, look: int, *, null: int
) -> list[ScheduledMove]:
    """List the moves of samples `before` to `look` for all active boundaries and layer sets, (B, S).

    Null directions are moved at every set at which any boundary that they belong to is active, on the first
    `null` samples.
    """
    kinds = range(int(design.kinds.max()) + 1)
    null_active = np.stack([active[design.kinds == g].any(axis=0) for g in kinds]).repeat(design.null, axis=0)
    chosen = [tuple(int(s) for s in np.flatnonzero(row)) for row in np.concatenate([active, null_active])]
    return [
        ScheduledMove(part, start, direction, sets)
        for start in range(before, look, design.step)
        for direction, sets in enumerate(chosen)
        if sets and (direction < len(active) or start < null)
    ]
