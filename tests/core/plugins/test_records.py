"""Test the records: the cache of a rendering, boundaries by name, levels."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import numpy as np
import pytest
import torch
from ganstrata import Boundaries, Boundary, Concept, Rendering, State, UserError


def boundary(concept: str, *given: str) -> Boundary:
    return Boundary(
        concept, "object", np.ones(1, np.float32), np.zeros((), np.float32), "w", "g", given=given
    )


def test_once_is_once_per_key_and_rendering() -> None:
    calls: list[str] = []
    rendering, other = Rendering(torch.zeros(1, 3, 2, 2)), Rendering(torch.zeros(1, 3, 2, 2))

    def compute(name: str) -> str:
        calls.append(name)
        return name

    assert [rendering.once(("net", "hash", 64), lambda: compute("a")) for _ in range(3)] == ["a"] * 3
    assert rendering.once(("net", "hash", 128), lambda: compute("b")) == "b"
    assert other.once(("net", "hash", 64), lambda: compute("c")) == "c"
    assert calls == ["a", "b", "c"]


def test_what_is_nothing_is_also_computed_once() -> None:
    calls: list[int] = []
    rendering = Rendering(torch.zeros(1, 3, 2, 2))
    for _ in range(2):
        assert rendering.once("none", lambda: calls.append(1)) is None
    assert calls == [1]


def test_a_computation_that_fails_is_not_remembered() -> None:
    rendering = Rendering(torch.zeros(1, 3, 2, 2))
    with pytest.raises(ZeroDivisionError):
        rendering.once("k", lambda: 1 // 0)
    assert rendering.once("k", lambda: 5) == 5


def test_a_rendering_has_features_of_its_own() -> None:
    features = {1: torch.zeros(1)}
    rendering = Rendering(torch.zeros(1, 3, 2, 2), features)
    features[2] = torch.zeros(1)
    assert list(rendering.features) == [1]


def test_a_state_with_another_feature_map() -> None:
    state = State(torch.zeros(2), torch.ones(2), {"noise": torch.ones(1)})
    other = state.with_x(torch.full((2,), 7.0))
    assert other.x is not None
    assert other.x.tolist() == [7.0, 7.0]
    assert other.rgb is state.rgb
    assert other.kept is state.kept
    assert state.x is not None
    assert state.x.tolist() == [0.0, 0.0]


def test_levels_are_the_five() -> None:
    with pytest.raises(
        ValueError, match="level 'color' is not one of layout, category, attribute, colour, object"
    ):
        Concept("x", "color")
    with pytest.raises(FrozenInstanceError):
        Concept("x", "colour").name = "y"  # type: ignore[misc]


def test_boundaries_keep_their_order_and_are_accessible_by_name() -> None:
    boundaries = Boundaries([boundary("b/x"), boundary("a/y"), boundary("b/x", "a/y", "c/z")])
    assert boundaries.names == ("b/x", "a/y", "b/x|a/y,c/z")
    assert boundaries.of("b/x|a/y,c/z") is boundaries[2]
    assert boundaries.of("b/x") is boundaries[0]
    with pytest.raises(UserError, match=r"no boundary for 'c/z'\. There are b/x, a/y, "):
        boundaries.of("c/z")
    with pytest.raises(UserError, match="There are none"):
        Boundaries().of("x")
    with pytest.raises(UserError, match=r"Did you mean 'a/y'"):
        boundaries.of("a/yy")


def test_boundaries_are_represented_without_their_numbers() -> None:
    boundaries = Boundaries(boundary(f"a/{n}") for n in range(7))
    assert repr(boundaries) == "Boundaries(7: a/0, a/1, a/2, a/3, a/4 and 2 more)"
    assert "array" not in repr(boundaries[0])
    assert "concept='a/0'" in repr(boundaries[0])
