"""Edits against method C written out with numpy, and against numbers of the authors' code."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from closeness import assert_near
from ganstrata.core.errors import DataError, LayerError
from ganstrata.core.strata.moves import (
    conditioned,
    edit_direction,
    jitter,
    move,
    move_jointly,
    move_to,
    signed_distance,
)
from hypothesis import given, settings
from hypothesis import strategies as st

N, L, D = 3, 5, 8
SCALE = np.array([0.7, 0.7, 0.5, 1.0, 1.0], dtype=np.float32)


def unit(*shape, seed=0):
    x = np.random.default_rng(seed).standard_normal(shape)
    return (x / np.linalg.norm(x, axis=-1, keepdims=True)).astype(np.float32)


def codes(seed=1):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal((N, L, D)).astype(np.float32))


@pytest.mark.parametrize("layered", [False, True])
def test_independent_edit(layered):
    c, n = codes(), unit(L, D) if layered else unit(D)
    expected = c.numpy().copy()
    for layer in (1, 2, 4):
        expected[:, layer] += 1.5 * SCALE[layer] * (n[layer] if layered else n)
    moved = move(c, edit_direction(n, (1, 2, 4), SCALE), 1.5)
    np.testing.assert_allclose(moved, expected, rtol=1e-6, atol=1e-6)
    assert torch.equal(moved[:, [0, 3]], c[:, [0, 3]])
    assert torch.equal(c, codes())


def test_a_step_of_its_own_for_every_sample():
    c, direction = codes(), edit_direction(unit(D), range(L), SCALE)
    amounts = torch.tensor([-2.0, 0.0, 3.0], dtype=torch.float64)
    moved = move(c, direction, amounts)
    assert moved.dtype == c.dtype
    for k in range(N):
        np.testing.assert_allclose(moved[k], move(c, direction, float(amounts[k]))[k], rtol=1e-6)
    assert torch.equal(moved[1], c[1])


def test_there_and_back():
    c, direction = codes().double(), edit_direction(unit(D), (0, 3), SCALE)
    np.testing.assert_allclose(move(move(c, direction, 2.0), direction, -2.0), c, atol=1e-12)


def test_joint_edit_is_the_sum_of_its_parts():
    c = codes()
    parts = [((0, 1), 2.0, unit(D, seed=2)), ((1, 2), -1.0, unit(D, seed=3)), ((4,), 0.5, unit(L, D, seed=4))]
    expected = c.numpy().astype(np.float64)
    for layers, amount, n in parts:
        for layer in layers:
            expected[:, layer] += amount * SCALE[layer] * (n if n.ndim == 1 else n[layer])
    directions = [edit_direction(n, layers, SCALE) for layers, _, n in parts]
    before = [direction.copy() for direction in directions]
    np.testing.assert_allclose(
        move_jointly(c, directions, [a for _, a, _ in parts]), expected, rtol=1e-5, atol=1e-6
    )
    assert all((a == b).all() for a, b in zip(directions, before, strict=True))
    with pytest.raises(ValueError, match="argument"):
        move_jointly(c, directions, [1.0])


def test_jitter_adds_noise_on_the_edited_layers_only():
    c, noise = codes(), codes(seed=9)
    layers = (1, 3)
    direction = edit_direction(unit(D), layers, SCALE)
    moved = jitter(c, direction, 2.0, noise, layers)
    plain = move(c, direction, 2.0)
    np.testing.assert_allclose(moved[:, layers], (plain + noise)[:, layers])
    rest = [0, 2, 4]
    assert torch.equal(moved[:, rest], c[:, rest])


@pytest.mark.parametrize("layered", [False, True])
@pytest.mark.parametrize("target", [-1.0, 0.0, 2.5])
def test_absolute_edit_reaches_its_target_before_truncation(layered, target):
    n = unit(L, D, seed=5) if layered else unit(D, seed=5)
    offset = np.linspace(-1.0, 1.0, L) if layered else 0.3
    mean = torch.from_numpy(np.random.default_rng(6).standard_normal(D))
    w = torch.from_numpy(np.random.default_rng(7).standard_normal((N, L, D)))
    scale = SCALE.astype(np.float64)
    c = mean + torch.from_numpy(scale)[:, None] * (w - mean)  # what broadcast() makes of w
    layers = (0, 2, 3)
    moved = move_to(c, n, offset, target, layers, scale, mean)
    back = mean + (moved - mean) / torch.from_numpy(scale)[:, None]
    normals = np.broadcast_to(n, (L, D)).astype(np.float64)
    distance = np.einsum("kld,ld->kl", back.numpy(), normals) + np.broadcast_to(offset, (L,))
    np.testing.assert_allclose(distance[:, layers], target, atol=1e-6)
    assert torch.equal(moved[:, [1, 4]], c[:, [1, 4]])
    # Nothing else moves: the change is along the normal.
    change = (back - w).numpy()
    along = np.einsum("kld,ld->kl", change, normals)
    np.testing.assert_allclose(change, along[..., None] * normals, atol=1e-6)


@pytest.mark.parametrize("layered", [False, True])
def test_the_distance_after_an_absolute_edit_is_its_target(layered):
    n = unit(L, D, seed=5) if layered else unit(D, seed=5)
    offset = np.linspace(-1.0, 1.0, L) if layered else 0.3
    mean = torch.from_numpy(np.random.default_rng(6).standard_normal((L, D) if layered else D))
    before = signed_distance(codes().double(), n, offset, (0, 2, 3), SCALE, mean)
    assert before.std() > 0.1
    moved = move_to(codes().double(), n, offset, 1.25, (0, 2, 3), SCALE, mean)
    np.testing.assert_allclose(signed_distance(moved, n, offset, (0, 2, 3), SCALE, mean), 1.25, atol=1e-6)
    # A relative step of 1 shrinks with truncation, so that it is 1 before truncation on every layer.
    stepped = move(codes().double(), edit_direction(n, (0, 2, 3), SCALE), 1.0)
    np.testing.assert_allclose(
        signed_distance(stepped, n, offset, (0, 2, 3), SCALE, mean) - before, 1.0, atol=1e-6
    )


def test_layers_that_truncation_has_emptied_have_no_distance():
    n, mean, dead = unit(D), torch.zeros(D), np.array([0.0, 0.5, 1.0, 1.0, 1.0], dtype=np.float32)
    assert_near(
        signed_distance(codes(), n, 0.0, (0, 1), dead, mean),
        signed_distance(codes(), n, 0.0, (1,), dead, mean),
    )
    assert signed_distance(codes(), n, 0.0, (0,), dead, mean).isnan().all()


def test_absolute_edit_where_truncation_leaves_nothing():
    scale = np.array([1.0, 0.0, 1.0, 0.0, 1.0], dtype=np.float32)
    with pytest.raises(LayerError, match=r"impossible on layers \[1, 3\]: truncation has scaled them to 0"):
        move_to(codes(), unit(D), 0.0, 1.0, range(L), scale, torch.zeros(D))
    moved = move_to(codes(), unit(D), 0.0, 1.0, (0, 2), scale, torch.zeros(D))
    assert torch.isfinite(moved).all()


@settings(deadline=None, max_examples=100)
@given(st.integers(0, 2**32), st.integers(2, 24), st.integers(1, 5), st.integers(0, 4), st.booleans())
def test_conditional_direction_against_gram_schmidt(seed, size, rank, more, single):
    rng = np.random.default_rng(seed)
    rank = min(rank, size - 1)
    base = np.linalg.qr(rng.standard_normal((size, rank)))[0].T
    # Independent conditions, and others that are mixtures of them.
    mixture = rng.standard_normal((more, rank))
    conditions = [c / np.linalg.norm(c) for c in np.concatenate([base, mixture @ base])]
    direction = rng.standard_normal(size)
    if single:
        # As boundaries are kept; mixtures are then dependent up to rounding only.
        conditions = [c.astype(np.float32) for c in conditions]
    expected = direction.copy()
    for b in base:
        expected -= (expected @ b) * b
    left = np.linalg.norm(expected) / np.linalg.norm(direction)
    conditional = conditioned(
        direction / np.linalg.norm(direction), [conditions[i] for i in rng.permutation(len(conditions))]
    )
    tolerance = (1e-5 if single else 1e-12) / left
    np.testing.assert_allclose(np.linalg.norm(conditional), 1.0, rtol=1e-12)
    np.testing.assert_allclose(conditional, expected / np.linalg.norm(expected), atol=tolerance)
    assert max(abs(conditional @ c) for c in conditions) < tolerance


def test_conditions_may_have_any_length_and_sign():
    n, conditions = unit(D, seed=1), [unit(D, seed=2), unit(D, seed=3)]
    plain = conditioned(n, conditions)
    np.testing.assert_allclose(conditioned(n, [-5.0 * conditions[1], 0.1 * conditions[0]]), plain, atol=1e-6)


def test_a_direction_in_the_span_of_its_conditions_is_an_error_that_names_them():
    first, second = unit(D, seed=1), unit(D, seed=2)
    within = (0.3 * first - 0.8 * second).astype(np.float64)
    within /= np.linalg.norm(within)
    with pytest.raises(
        DataError, match=r"colour/red lies in the span of its conditions \(layout/left, object/bed\)"
    ):
        conditioned(within, [first, second], name="colour/red", names=["layout/left", "object/bed"])
    with pytest.raises(DataError, match=r"the direction lies in the span of its conditions \(1 direction\)"):
        conditioned(first, [first])
    tilted = within + 1e-4 * unit(D, seed=3)
    assert np.linalg.norm(conditioned(tilted / np.linalg.norm(tilted), [first, second])) == pytest.approx(1.0)


@pytest.fixture(scope="module")
def reference():
    """Values of genforce/higan 2088e23 and genforce/interfacegan 8da3fc0."""
    with np.load(Path(__file__).parents[2] / "data" / "higan_projection.npz", allow_pickle=False) as file:
        return dict(file)


@pytest.mark.parametrize(
    ("authors", "count"),
    [
        ("higan", 1),
        ("higan", 2),
        ("interfacegan", 1),
        ("interfacegan", 2),
        ("interfacegan", 3),
        ("interfacegan", 4),
    ],
)
def test_conditional_direction_as_the_authors_compute_it(reference, authors, count):
    conditional = conditioned(reference["primal"][0], [reference[f"cond{i}"][0] for i in range(count)])
    # Their closed form for two conditions adds 1e-8 to a denominator.
    np.testing.assert_allclose(
        conditional, reference[f"{authors}.{count}cond.f64"][0], atol=1e-7 if count == 2 else 1e-12
    )


def test_nearly_equal_conditions_are_both_left_alone(reference):
    conditions = [reference["cond0"][0], reference["cond0_near"][0]]
    conditional = conditioned(reference["primal"][0], conditions)
    assert max(abs(conditional @ c) for c in conditions) < 1e-12
    authors = reference["interfacegan.2cond_nearly_equal.f64"][0]
    assert max(abs(authors @ c) for c in conditions) > 1e-7  # what their 1e-8 costs
    assert conditional @ authors > 0.99


def test_absolute_and_relative_steps_as_the_authors_compute_them(reference):
    n, z = reference["primal"][0], torch.from_numpy(reference["code"][:, None].astype(np.float64))
    expected = reference["interfacegan.linear_interpolate"]
    mean, scale = torch.zeros(n.shape[0], dtype=torch.float64), np.ones(1)
    for target, row in zip(np.linspace(-3.0, 3.0, len(expected)), expected, strict=True):
        np.testing.assert_allclose(move_to(z, n, 0.0, float(target), (0,), scale, mean)[0, 0], row, atol=1e-6)
    wp = torch.from_numpy(reference["code_wp"].astype(np.float64))
    expected = reference["interfacegan.linear_interpolate_wp"]
    direction = edit_direction(n, range(wp.shape[1]), np.ones(wp.shape[1]))
    for amount, row in zip(np.linspace(-3.0, 3.0, len(expected)), expected, strict=True):
        np.testing.assert_allclose(move(wp, direction, float(amount))[0], row, atol=1e-6)
