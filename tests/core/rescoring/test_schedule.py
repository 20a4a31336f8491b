"""The schedule of adaptive re-scoring, move by move, for boundaries whose changes are known beforehand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from ganstrata.core.rescoring.adaptive import (
    DECIDING,
    RESAMPLED,
    RESOLVING,
    Design,
    ScheduledMove,
    rounds,
)
from ganstrata.core.rescoring.sums import sums_of
from numpy.typing import NDArray

STEP, SAMPLES, SETS, ALL, NULL, RELEARNT = 16, 100, 3, 1, 6, 5
LOOKS, LAYER_LOOKS, NULL_SAMPLES = (16, 32, 64, 100), (16, 48, 100), 48
FIRST, SECOND, THIRD, LAST = [0], [16], [32, 48], [64, 80, 96]  # batches before each look

PRECISE, UNCERTAIN, BACKWARDS = (2.0, 0.1), (2.0, 3.0), (-2.0, 0.1)
"""Mean and standard deviation of changes. Half the interval of UNCERTAIN is above 0.4 at every look."""
ENOUGH = (0.5, 0.5)
"""Half the interval at the first look is 0.27: known to a fifth of 2, not to a fifth of 0.5."""


@dataclass
class Carried:
    """Arrays of a run whose moves have been carried out as far as they were asked for.

    Attributes:
        changes: mean and standard deviation of the own changes of each boundary at each set, (B, S).
        relearnt: mean change of each boundary learnt again, at `all`, (M, B).
        own: column of each boundary's concept.
        kind: which null directions belong to each boundary.
    """

    changes: Sequence[Sequence[tuple[float, float]]]
    relearnt: NDArray[np.float64]
    own: tuple[int, ...]
    kind: tuple[int, ...] = (0,)
    arrays: dict[str, NDArray[np.float64]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        count, batches = len(self.own), -(-SAMPLES // STEP)
        for ending, sets in (("", SETS), (f"_{DECIDING}", 1)):
            directions = count + NULL * (max(self.kind) + 1)
            self.arrays[f"sums{ending}"] = np.full((directions, batches, sets, 2, count, 5), np.nan)
            self.arrays[f"own{ending}"] = np.full((count, sets, 2, SAMPLES), np.nan)
        self.arrays[RESAMPLED] = np.full((RELEARNT, count, SAMPLES), np.nan)

    def shape(self, name: str) -> tuple[int, ...]:
        return self.arrays[name].shape

    def read(self, name: str, region: tuple[int, ...] = ()) -> NDArray[np.float64]:
        return self.arrays[name][region].copy()

    def along(self, direction: int, at: int, part: slice) -> NDArray[np.float32]:
        """Changes of all concepts, (n, C): a wave of the given mean and sd, the same in any four samples."""
        count = len(self.own)
        wave = np.tile([-1.2, -0.4, 0.4, 1.2], SAMPLES // 4)[part] / np.sqrt(0.8)
        changes = np.zeros((len(wave), count), np.float32)
        if direction < count:
            mean, sd = self.changes[direction][at]
            changes[:, self.own[direction]] = mean + sd * wave
        else:
            changes += 0.02 * ((direction - count) % NULL - (NULL - 1) / 2)
        return changes

    def carry_out(self, move: ScheduledMove) -> None:
        d, part = move.direction, slice(move.start, min(move.start + STEP, SAMPLES))
        if move.part == RESAMPLED:
            self.arrays[RESAMPLED][:, d, part] = self.relearnt[:, d, None]
            return
        ending = f"_{DECIDING}" if move.part == DECIDING else ""
        for s in move.sets:
            at, moved = (0, ALL) if move.part == DECIDING else (s, s)
            changes = self.along(d, moved, part)
            self.arrays[f"sums{ending}"][d, move.start // STEP, at, 0] = sums_of(
                np.zeros_like(changes), changes
            )
            if d < len(self.own):
                self.arrays[f"own{ending}"][d, at, 0, part] = changes[:, self.own[d]]


def scheduled(
    carried: Carried, *, sets: int = SETS, relearnt: bool = True, varies: bool = True
) -> list[list[ScheduledMove]]:
    """Carry out each list of moves before the next one is asked for."""
    count = len(carried.own)
    design = Design(
        own=np.array(carried.own),
        varies=np.full(count, varies),
        units=np.ones(count),
        null=NULL,
        sets=sets,
        all_set=min(ALL, sets - 1),
        step=STEP,
        looks=LOOKS,
        layer_looks=LAYER_LOOKS,
        null_samples=NULL_SAMPLES,
        backward=STEP,
        precision=0.2,
        rate=0.05,
        dilutions=np.ones(count) if relearnt else None,
        kind=np.array(carried.kind) if len(carried.kind) == count else None,
    )
    lists = []
    for moves in rounds(design, carried):  # type: ignore[arg-type]  # it only reads
        assert moves, "whoever carries out the moves takes an empty list for the end"
        assert len(set(moves)) == len(moves)
        for move in moves:
            carried.carry_out(move)
        lists.append(moves)
    return lists


def world(*at_all: tuple[float, float], scattered: Sequence[int] = ()) -> Carried:
    """Boundaries of these changes at `all`, which is the second set.

    Those of `scattered` have no effect on average when they are learnt again.
    """
    changes = [[UNCERTAIN, own, ENOUGH] for own in at_all]
    relearnt = np.repeat(np.linspace(1.9, 2.1, RELEARNT)[:, None], len(at_all), axis=1)
    relearnt[:, list(scattered)] = np.linspace(-9.0, 9.0, RELEARNT)[:, None]
    return Carried(changes, relearnt, tuple(np.roll(range(len(at_all)), 1).tolist()))


def moves(
    part: str, starts: Sequence[int], directions: Sequence[int], sets: tuple[int, ...]
) -> set[ScheduledMove]:
    return {ScheduledMove(part, start, d, sets) for start in starts for d in directions}


NULLS = [3, 4, 5, 6, 7, 8]


def test_every_step_goes_on_with_what_is_not_settled() -> None:
    """Boundary 0 is settled at once, 1 with all samples, 2 is futile."""
    lists = [set(each) for each in scheduled(world(PRECISE, UNCERTAIN, BACKWARDS))]
    assert lists[:4] == [
        moves(DECIDING, FIRST, [0, 1, 2, *NULLS], (ALL,)),
        moves(DECIDING, SECOND, [1, *NULLS], (ALL,)),
        moves(DECIDING, THIRD, [1], (ALL,)) | moves(DECIDING, THIRD[:1], NULLS, (ALL,)),
        moves(DECIDING, LAST, [1], (ALL,)),
    ]
    # Half of 100 samples are 64 in whole batches; of 16 samples there are no more than 16.
    assert lists[4] == moves(RESAMPLED, [0], [0], (ALL,)) | moves(RESAMPLED, [0, 16, 32, 48], [1], (ALL,))
    assert lists[5:] == [
        moves(RESOLVING, FIRST, [0, 1, 2, *NULLS], (0, 2)),
        moves(RESOLVING, [16, 32], [0, 1], (0,)),
        moves(RESOLVING, [48, *LAST], [0, 1], (0,)),
    ]


def test_a_factor_that_another_draw_of_samples_would_not_give_is_not_resolved() -> None:
    lists = [set(each) for each in scheduled(world(PRECISE, PRECISE, BACKWARDS, scattered=[0]))]
    assert lists[1] == moves(RESAMPLED, [0], [0, 1], (ALL,))
    assert lists[3:] == [moves(RESOLVING, starts, [1], (0,)) for starts in ([16, 32], [48, *LAST])]


def test_without_a_factor_every_set_has_one_look_and_nothing_is_confirmed() -> None:
    everything = [0, 1, 2, *NULLS]
    expected = [
        moves(DECIDING, FIRST, everything, (ALL,)),
        moves(RESOLVING, FIRST, everything, (0, 2)),
    ]
    assert [set(each) for each in scheduled(world(BACKWARDS, BACKWARDS, BACKWARDS))] == expected
    invariant = scheduled(world(PRECISE, PRECISE, PRECISE), varies=False)
    assert [set(each) for each in invariant] == expected


def test_null_directions_go_as_far_as_the_boundaries_that_they_belong_to() -> None:
    carried = world(PRECISE, UNCERTAIN)
    carried = Carried(carried.changes, carried.relearnt, carried.own, kind=(1, 0))
    lists = scheduled(carried, relearnt=False)
    furthest = {
        d: max(m.start for moves in lists for m in moves if m.part == DECIDING and m.direction == d)
        for d in range(2 + 2 * NULL)
    }
    assert [furthest[0], furthest[1]] == [0, 96]
    assert {furthest[d] for d in range(2, 2 + NULL)} == {32}  # of the second, which goes on
    assert {furthest[d] for d in range(2 + NULL, 2 + 2 * NULL)} == {0}


@pytest.mark.parametrize(("sets", "relearnt"), [(1, True), (1, False), (2, False)])
def test_what_does_not_exist_is_not_moved(sets: int, relearnt: bool) -> None:
    """Neither sets beside `all`, nor boundaries that were learnt again."""
    carried = world(PRECISE, PRECISE, PRECISE)
    for name in ("sums", "own"):
        carried.arrays[name] = carried.arrays[name].take(range(sets), axis=2 if name == "sums" else 1)
    lists = scheduled(carried, sets=sets, relearnt=relearnt)
    assert [each[0].part for each in lists] == [
        DECIDING,
        *[RESAMPLED] * relearnt,
        *[RESOLVING] * (len(LAYER_LOOKS) if sets > 1 else 0),
    ]
    decided = {move.sets for each in lists for move in each if move.part != RESOLVING}
    assert decided == {(min(ALL, sets - 1),)}


def test_moves_do_not_depend_on_what_is_stored_beyond_a_look() -> None:
    """As in a run that is checked or continued: all of its arrays are there from the beginning."""
    first = world(PRECISE, UNCERTAIN, BACKWARDS)
    lists = scheduled(first)
    again = world(PRECISE, UNCERTAIN, BACKWARDS)
    again.arrays = {name: values.copy() for name, values in first.arrays.items()}
    assert scheduled(again) == lists
