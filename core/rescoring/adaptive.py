"""Which samples adaptive re-scoring moves along what: first the decisions at the set `all`, then the other layer sets.

1. At `all` every boundary goes from look to look until it is a variation factor whose effect is known
   to `precision`, or cannot become one. A look there costs one layer set of many.
2. At every other set each boundary has the first look; only variation factors go on, each set until
   half its interval is `precision` of the boundary's effect at `all`.

Between the two, what resampled samples give in place of each variation factor is moved at `all` on half of the samples that
the factor itself was moved on (32 at least), and only factors whose interval holds over other learning samples too remain.

Null directions go as far as the boundary that went farthest at the same set. What is done next
depends on what was found alone, so that a run that is continued takes the same way.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..boundaries.learning_variance import errors_of, replicate_samples
from ..config.schema import Rescoring
from ..statistics import null_p_value
from ..storage.shards import Shards
from .effects import (
    EffectArrays,
    effects_of_looks,
    null_means,
    over_learning,
    samples_used,
    variation_factors,
)
from .interim import half_width, look_sizes

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

DECIDING, RESOLVING, RESAMPLED = "all", "layers", "resampled"
"""The parts; each has its arrays, because they are written at different times."""


class ScheduledMove(NamedTuple):
    """A batch of samples to move along a direction at some layer sets."""

    part: str
    start: int
    direction: int
    sets: tuple[int, ...]


@dataclass(frozen=True)
class Design:
    """What is asked of a run.

    Attributes:
        own: column of each boundary's concept, (B,).
        varies: of every concept, (C,).
        null: number of null directions R; they follow the boundaries.
        sets: number of layer sets S.
        all_set: which of them is `all`.
        step, looks: samples in a batch, and at each look.
        dilutions: of each boundary's replicates (core.boundaries.learning_variance), (B,); None where nothing was learnt again.
    """

    own: NDArray[np.int64]
    varies: Flags
    null: int
    sets: int
    all_set: int
    step: int
    looks: tuple[int, ...]
    precision: float
    rate: float
    dilutions: Floats | None = None

    @classmethod
    def of(
        cls,
        config: Rescoring,
        batch: int,
        own: NDArray[np.int64],
        varies: Flags,
        sets: list[str],
        dilutions: Floats | None = None,
    ) -> Design:
        """From the config of a run."""
        step, looks = look_sizes(config.samples, config.looks, batch)
        return cls(
            own,
            varies,
            config.null_directions,
            len(sets),
            sets.index("all"),
            step,
            looks,
            config.precision,
            config.false_discovery_rate,
            dilutions,
        )


def rounds(question: Design, units: Shards) -> Iterator[list[ScheduledMove]]:
    """What to do next, look after look; what was yielded must be done before the next is asked for."""
    found, scale = yield from _decide(question, units)
    if question.dilutions is not None:
        found = yield from _confirm(question, units, found, question.dilutions)
    if question.sets > 1:
        yield from _resolve(question, units, found, scale)


def _decide(question: Design, units: Shards) -> Generator[list[ScheduledMove], None, tuple[Flags, Floats]]:
    """Looks at `all`; returns the variation factors (B,) and the size of every effect (B,)."""
    active = np.ones(len(question.own), dtype=bool)
    before = 0
    for look in question.looks:
        everywhere = np.zeros((len(active), question.sets), dtype=bool)
        everywhere[:, question.all_set] = active
        yield _moves(question, DECIDING, everywhere, before, look)
        found, hopeless, precise, scale = judge(
            question, units.read(f"sums_{DECIDING}"), units.read(f"own_{DECIDING}").astype(np.float64), look
        )
        active &= ~(hopeless | (found & precise))
        before = look
        if not active.any():
            break
    return found, scale


def _confirm(
    question: Design, units: Shards, found: Flags, dilutions: Floats
) -> Generator[list[ScheduledMove], None, Flags]:
    """Move what resampled samples give in place of each variation factor; returns which remain."""
    if not found.any():
        return found
    sums = units.read(f"sums_{DECIDING}")
    reached = samples_used(sums, question.looks[-1], question.step)[:, 0]  # (B + R,)
    wanted = {int(i): replicate_samples(int(reached[i]), question.step) for i in np.flatnonzero(found)}
    starts = range(0, max(wanted.values()), question.step)
    yield [
        ScheduledMove(RESAMPLED, start, i, (question.all_set,))
        for start in starts
        for i, count in wanted.items()
        if start < count
    ]
    error, freedom = errors_of(units.read(RESAMPLED).astype(np.float64), dilutions)
    effects = over_learning(_effects(question, sums), error, freedom, question.own, all_set=0)
    return variation_factors(effects, question.own, question.varies, all_set=0, rate=question.rate)


def _resolve(question: Design, units: Shards, found: Flags, scale: Floats) -> Iterator[list[ScheduledMove]]:
    """Looks at the other sets."""
    active = np.ones((len(question.own), question.sets), dtype=bool)
    active[:, question.all_set] = False
    before = 0
    for look in question.looks:
        yield _moves(question, RESOLVING, active, before, look)
        half = half_width(units.read("own")[:, :, 0, :look].astype(np.float64))  # (B, S)
        active &= found[:, None] & ~(half <= question.precision * scale[:, None])
        before = look
        if not active.any():
            break


def judge(question: Design, sums: Floats, own: Floats, look: int) -> tuple[Flags, Flags, Flags, Floats]:
    """What is known at `all` after a look.

    A boundary cannot become a variation factor, for all we know, if neither its p value nor the one
    that the upper end of its interval would have is below the rate: correction makes p values larger.

    Args:
        question: what is asked.
        sums: of all directions at `all` by batch, (B + R, N, 1, 2, C, 5); NaN where not moved.
        own: each boundary's changes of its own concept, (B, 1, 2, K).
        look: samples at this look.

    Returns:
        for each boundary, (B,): whether it is a variation factor now, whether it cannot become one,
        whether its effect is known to `precision`, and the size of that effect.
    """
    columns, rows = question.own, np.arange(len(question.own))
    # A run that is continued, or looked over, may hold more than there was at this look.
    batches = -(-look // question.step)
    sums, own = sums[:, :batches], own[..., :look]
    null = sums[len(rows) :, :, :, 0]  # (R, N, 1, C, 5)
    effects = _effects(question, sums)
    found = variation_factors(effects, columns, question.varies, all_set=0, rate=question.rate)
    chance = null_means(np.nansum(null[:, :, 0], axis=1))[:, columns]  # (R, B)
    best = null_p_value(effects.high[rows, 0, 0, columns], chance, two_sided=False)
    hopeless = ((effects.p[rows, 0, 0, columns] > question.rate) & (best > question.rate)) | ~question.varies[
        columns
    ]
    scale = np.abs(effects.mean[rows, 0, 0, columns])
    return found, hopeless, half_width(own[:, 0, 0]) <= question.precision * scale, scale


def _effects(question: Design, sums: Floats) -> EffectArrays:
    """Effects at `all`, from the sums of all directions by batch (B + R, N, 1, 2, C, 5)."""
    count, unit = len(question.own), np.ones(sums.shape[-2])
    return effects_of_looks(
        sums[:count],
        sums[count:, :, :, 0],
        question.own,
        looks=question.looks,
        step=question.step,
        unit=unit,
        all_set=0,
    )


def _moves(question: Design, part: str, active: Flags, before: int, look: int) -> list[ScheduledMove]:
    """Samples before .. look of all active boundaries (B, S), and of the null directions where any is active."""
    chance = np.repeat(active.any(axis=0, keepdims=True), question.null, axis=0)
    chosen = [tuple(int(s) for s in np.flatnonzero(row)) for row in np.concatenate([active, chance])]
    return [
        ScheduledMove(part, start, direction, sets)
        for start in range(before, look, question.step)
        for direction, sets in enumerate(chosen)
        if sets
    ]
