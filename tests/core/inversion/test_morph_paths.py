"""Paths between codes."""

from __future__ import annotations

import math

import pytest
import torch
from ganstrata.core.inversion.morph.paths import lerp, places, slerp


@pytest.mark.parametrize("path", [lerp, slerp])
def test_both_ends_are_exact(path) -> None:
    a, b = torch.randn(2, 3, 5, generator=torch.Generator().manual_seed(0)).unbind(0)
    found = path(a, b, places(4))
    assert found.shape == (4, 3, 5)
    torch.testing.assert_close(found[0], a)
    torch.testing.assert_close(found[-1], b)


def test_an_arc_turns_evenly_and_changes_its_length_evenly() -> None:
    a, b = torch.tensor([2.0, 0.0]), torch.tensor([0.0, 6.0])
    found = slerp(a, b, places(4))
    angles = torch.atan2(found[:, 1], found[:, 0])
    torch.testing.assert_close(angles, torch.linspace(0.0, math.pi / 2, 4))
    torch.testing.assert_close(found.norm(dim=1), torch.tensor([2.0, 10 / 3, 14 / 3, 6.0]))


def test_halfway_between_normal_vectors_the_arc_is_as_long_as_they_are() -> None:
    a, b = torch.randn(2, 4096, generator=torch.Generator().manual_seed(1)).unbind(0)
    half = torch.tensor([0.5])
    assert float(slerp(a, b, half).norm()) == pytest.approx(64.0, rel=0.05)
    assert float(lerp(a, b, half).norm()) == pytest.approx(64.0 / math.sqrt(2.0), rel=0.05)


@pytest.mark.parametrize("factor", [1.0, 2.0, -1.0, 0.0])
def test_without_a_shortest_arc_the_path_is_straight(factor: float) -> None:
    a = torch.tensor([1.0, 2.0])
    at = places(3)
    torch.testing.assert_close(slerp(a, factor * a, at), lerp(a, factor * a, at))
