"""From coefficients to a unit normal and a signed distance."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from ganstrata.core.boundaries.hyperplane import boundary_of, normalise_hyperplane
from ganstrata.core.errors import DataError
from ganstrata.core.plugins.records import Concept
from hypothesis import given, settings
from hypothesis import strategies as st

CONCEPT = Concept("a/x", "colour")


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10_000), st.floats(1e-8, 1e8), st.floats(-100.0, 100.0))
def test_normalising_keeps_the_hyperplane_and_its_positive_side(seed, length, intercept):
    rng = np.random.default_rng(seed)
    coefficients = length * rng.standard_normal(6)
    normal, offset = normalise_hyperplane(coefficients, intercept * length, concept="a/x")
    points = rng.standard_normal((20, 6))
    decision = points @ coefficients + intercept * length
    np.testing.assert_allclose(np.linalg.norm(normal), 1.0, rtol=1e-12)
    # Distance of a point from a plane, from school.
    np.testing.assert_allclose(
        points @ normal + offset, decision / np.sqrt((coefficients**2).sum()), rtol=1e-9, atol=1e-9
    )


def test_the_offset_is_the_signed_distance_of_the_origin():
    normal, offset = normalise_hyperplane(np.array([3.0, 4.0]), 10.0, concept="a/x")
    foot = -offset * normal  # the point of the plane nearest to the origin
    assert foot @ [3.0, 4.0] + 10.0 == pytest.approx(0.0)
    assert np.linalg.norm(foot) == pytest.approx(2.0)
    assert offset > 0.0  # the origin lies on the positive side


@pytest.mark.parametrize(
    "coefficients", [np.zeros(3), np.array([1.0, np.nan, 0.0]), np.array([np.inf, 0.0, 0.0])]
)
def test_no_direction_is_an_error(coefficients):
    with pytest.raises(DataError, match="a/x: the learner found no direction"):
        normalise_hyperplane(coefficients, 1.0, concept="a/x")


@pytest.mark.parametrize("space", ["z", "w"])
def test_a_boundary_lies_where_the_latents_came_from(space):
    generator = SimpleNamespace(space=space, fingerprint="abc")
    single = boundary_of(CONCEPT, np.array([0.6, 0.8]), 2.0, generator, {"samples": 3})
    assert (single.concept, single.level, single.space, single.generator) == ("a/x", "colour", space, "abc")
    assert single.normal.dtype == single.offset.dtype == np.float32
    assert single.offset.shape == ()
    assert single.facts == {"samples": 3}
    layered = boundary_of(CONCEPT, np.eye(2), np.array([1.0, 2.0]), generator, {})
    assert layered.space == "w+"
    assert layered.offset.tolist() == [1.0, 2.0]


def test_without_a_generator_a_boundary_fits_any():
    assert boundary_of(CONCEPT, np.array([1.0, 0.0]), 0.0, None, {}).generator == ""
