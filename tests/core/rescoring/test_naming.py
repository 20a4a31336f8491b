"""The rule that names directions, on numbers that are made by hand."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from ganstrata.core.rescoring.naming import named_by_chance, named_directions, naming_tests
from ganstrata.core.rescoring.sums import sums_of

CONCEPTS = ("a/x", "a/y")


def effects(p: list[list[float]], mean: list[list[float]], null: np.ndarray | None = None) -> Any:
    """What naming reads of effects of directions (D, V) whose target is the first concept."""
    shape = (len(p), 1, 1, len(CONCEPTS))
    values = np.array(mean).reshape(shape)
    return SimpleNamespace(
        boundaries=[SimpleNamespace(direction=f"r/{i}", given=()) for i in range(len(p))],
        concepts=[SimpleNamespace(id=name, varies=True) for name in CONCEPTS],
        own=np.zeros(len(p), dtype=int),
        all_set=0,
        p=np.array(p).reshape(shape),
        mean=values,
        low=values - 0.1,
        high=values + 0.1,
        units=np.array([1.0, 2.0]),
        rate=0.05,
        null=null if null is None else null[None],
        kind=np.zeros(len(p), dtype=int),
    )


def test_the_test_of_a_target_has_two_sides_like_the_others() -> None:
    # p of the target is one-sided in the sense that was chosen: 0.02 is 0.04, and of two tests 0.08.
    tests = naming_tests(effects([[0.02, 0.9]], [[1.0, 0.0]]))
    np.testing.assert_allclose(tests.q, [[0.08, 0.9]])
    assert naming_tests(effects([[0.9, 0.02]], [[0.0, 1.0]])).q[0, 1] == pytest.approx(0.04)
    assert naming_tests(effects([[0.9, 0.9]], [[0.0, 0.0]])).q.max() <= 1.0


def test_the_strongest_change_comes_first_whichever_way_it_goes() -> None:
    (found,) = named_directions(effects([[1e-6, 1e-6]], [[0.5, -3.0]]))
    assert found.words == "-a/y, +a/x"
    assert [moved.in_sd for moved in found.moves] == [-1.5, 0.5]


def null_of(changes: np.ndarray) -> np.ndarray:
    """FIELDS of null directions (R, 1, V, 5), from changes (R, K, V)."""
    return np.stack([[sums_of(np.zeros_like(each), each)] for each in changes])


def test_a_null_direction_is_compared_with_the_others_and_not_with_itself() -> None:
    rng = np.random.default_rng(0)
    changes = rng.normal(0.0, 0.1, (6, 40, 2)).astype(np.float32)
    changes[2, :, 1] += 1.0  # so few others that it would hide in a spread of which it is most
    assert named_by_chance(effects([[1.0, 1.0]], [[0.0, 0.0]], null_of(changes))) == (1, 6)


def test_a_null_direction_that_one_sample_makes_is_not_named() -> None:
    rng = np.random.default_rng(0)
    changes = rng.normal(0.0, 1e-9, (12, 40, 2)).astype(np.float32)
    changes[2, 0, 1] = 1.0  # one sample jumps; the others have next to no spread
    assert named_by_chance(effects([[1.0, 1.0]], [[0.0, 0.0]], null_of(changes))) == (0, 12)
