"""Check the compromise between effect and side effects with planted directions and its formula."""

from __future__ import annotations

from dataclasses import replace

import ganstrata
import numpy as np
import pytest
import torch
from ganstrata.core.boundaries.conditional import conditional_directions
from ganstrata.core.boundaries.files import load_boundaries, save_boundaries
from ganstrata.core.config.schema import Condition
from ganstrata.core.editing.directions import conditional
from ganstrata.core.plugins.boundary import Boundaries
from ganstrata.core.plugins.records import Concept
from ganstrata.core.rounding import ceil_share
from ganstrata.plugins.boundaries.ridge import Ridge
from ganstrata.plugins.boundaries.soft_conditional import SoftConditional

D = 12
CONCEPTS = [Concept(f"a/{name}", "colour") for name in "xyz"]
ALL = {"positives": 100, "negatives": 100, "train_share": 1.0 - 1e-9}  # of 2000 samples all are fitted


def learner(**config) -> SoftConditional:
    return SoftConditional(SoftConditional.Config(**{**ALL, **config}), torch.device("cpu"))


def world(correlated: float = 0.0, *, noise: float = 0.2, n: int = 2000, seed: int = 0):
    """Codes (N, D) with unequal variances and scores (N, 3), of which y also depends on the axis of x."""
    rng = np.random.default_rng(seed)
    sizes = np.linspace(2.0, 0.3, D)
    w = (rng.standard_normal((n, D)) * sizes + 0.5).astype(np.float32)
    scores = np.stack([w[:, 0], w[:, 3] + correlated * w[:, 0], 10.0 * w[:, 5]], axis=1)
    return w, (scores + noise * scores.std(axis=0) * rng.standard_normal((n, 3))).astype(np.float32)


def by_its_formula(w, scores, shrinkage, restraint):
    """The normals (C, D) by plain inversion."""
    x = w.astype(np.float64) - w.astype(np.float64).mean(axis=0)
    y = (scores - scores.mean(axis=0)).astype(np.float64)
    covariance = x.T @ x / len(x)
    slopes = np.linalg.inv(covariance + shrinkage * np.trace(covariance) / D * np.eye(D)) @ x.T @ y / len(x)
    step = 2.0 * np.sqrt(np.trace(covariance) / D)
    b = (slopes / scores.std(axis=0)).T  # (C, D)
    normals = []
    for i in range(len(b)):
        others = np.delete(b, i, axis=0) * step
        n = np.linalg.inv(np.eye(D) + restraint * others.T @ others) @ b[i]
        normals.append(n / np.linalg.norm(n))
    return np.stack(normals)


@pytest.mark.parametrize("shrinkage", [0.01, 3.0])
@pytest.mark.parametrize("restraint", [0.0, 4.0, 1000.0])
def test_it_is_the_formula(shrinkage, restraint):
    w, scores = world(0.8)
    boundaries = learner(shrinkage=shrinkage, restraint=restraint).learn(w, scores, CONCEPTS)
    wanted = by_its_formula(w, scores, shrinkage, restraint)
    for boundary, normal in zip(boundaries, wanted, strict=True):
        np.testing.assert_allclose(boundary.normal, normal, atol=1e-5)
        # The hyperplane goes through the mean of the codes.
        assert abs(w.mean(axis=0) @ boundary.normal + boundary.offset) < 1e-4


def test_without_restraint_it_is_ridge_with_a_relative_penalty():
    w, scores = world(0.8)
    variance = w.var(axis=0).mean()
    plain = Ridge(Ridge.Config(**{**ALL, "alpha": float(0.5 * variance * len(w))}), torch.device("cpu"))
    found = learner(shrinkage=0.5, restraint=0.0).learn(w, scores, CONCEPTS)
    for one, other in zip(found, plain.learn(w, scores, CONCEPTS), strict=True):
        np.testing.assert_allclose(one.normal, other.normal, atol=1e-4)
        np.testing.assert_allclose(one.offset, other.offset, atol=1e-4)


def test_restraint_trades_effect_for_fewer_side_effects():
    w, scores = world(0.8)
    slopes = np.array([np.eye(D)[0], np.eye(D)[3] + 0.8 * np.eye(D)[0]]) / scores.std(axis=0)[:2, None]
    own, side = [], []
    for restraint in (0.0, 1.0, 10.0, 1e5):
        _, y, _ = learner(shrinkage=0.01, restraint=restraint).learn(w, scores, CONCEPTS)
        own.append(float(slopes[1] @ y.normal))
        side.append(abs(float(slopes[0] @ y.normal)))
    assert own == sorted(own, reverse=True)
    assert side == sorted(side, reverse=True)
    assert side[0] > 0.2
    assert side[-1] < 0.02  # the conditional direction
    assert own[-1] > 0.5 * own[0]


def test_units_of_scores_and_codes_do_not_matter():
    w, scores = world(0.8)
    first = learner().learn(w, scores, CONCEPTS)
    rescaled = (scores * [1.0, 100.0, 0.01]).astype(np.float32)
    for one, other in zip(first, learner().learn(w, rescaled, CONCEPTS), strict=True):
        np.testing.assert_allclose(one.normal, other.normal, atol=1e-4)
    for one, other in zip(first, learner().learn(7.0 * w, scores, CONCEPTS), strict=True):
        np.testing.assert_allclose(one.normal, other.normal, atol=1e-4)


def test_concepts_that_are_undefined_for_some_samples_restrain_the_others_too():
    w, scores = world(0.8)
    scores[::3, 0] = np.nan
    alone = learner(restraint=100.0).learn(w, scores[:, 1:], CONCEPTS[1:])
    beside = learner(restraint=100.0).learn(w, scores, CONCEPTS)
    assert abs(beside[1].normal[0]) < 0.3 * abs(alone[0].normal[0])


def test_it_learns_the_planted_directions_per_layer_and_of_a_single_concept():
    w, scores = world()
    codes = np.stack([w, w], axis=1)
    mixed = learner(per_layer=True, shrinkage=0.01).learn(codes, scores, CONCEPTS)
    for boundary, axis in zip(mixed, (0, 3, 5), strict=True):
        assert boundary.normal.shape == (2, D)
        assert (boundary.normal[:, axis] > 0.9).all()
    (single,) = learner(shrinkage=0.01).learn(w, scores[:, :1], CONCEPTS[:1])
    assert single.normal[0] > 0.9


def test_scores_that_do_not_vary_are_refused():
    w, scores = world()
    scores[:, 1] = 0.25
    with pytest.raises(ganstrata.DataError, match="a/y"):
        learner().learn(w, scores, CONCEPTS)


@pytest.mark.parametrize("plugin", [Ridge, SoftConditional])
@pytest.mark.parametrize("shown", [0.0, 0.1])
def test_a_concept_that_varies_among_held_out_samples_alone_is_named_and_spoils_no_other(plugin, shown):
    w, scores = world(n=200)
    rows = [held_out_rows(200)[i] for i in (0, 1)]
    scores[:, 2], scores[rows, 2] = shown, 1.0
    few = plugin(plugin.Config(positives=2, negatives=2), torch.device("cpu"))
    with pytest.raises(ganstrata.DataError, match=r"a/z: the scores of the 140 samples .* do not vary;"):
        few.learn(w, scores, CONCEPTS)


def held_out_rows(n: int) -> list[int]:
    """The rows that a fit of seed 0 leaves out."""
    return np.random.default_rng(0).permutation(n)[ceil_share(0.7, n) :].tolist()


@pytest.mark.parametrize("plugin", [Ridge, SoftConditional])
def test_what_the_class_alone_decides_is_no_direction(plugin):
    rng = np.random.default_rng(0)
    classes = rng.integers(0, 3, 600)
    w = (rng.standard_normal((600, D)) + 3.0 * classes[:, None] * np.eye(D)[7]).astype(np.float32)
    scores = np.stack([w[:, 0] + classes, w[:, 3] - 2.0 * classes, 0.1 * classes], axis=1).astype(np.float32)
    scores[held_out_rows(600)[:3], 2] = 1.0  # so that its extremes can be told apart
    few = plugin(plugin.Config(positives=3, negatives=3, train_share=0.7), torch.device("cpu"))
    with pytest.raises(ganstrata.DataError, match=r"a/z: the scores .* do not vary within their classes;"):
        few.learn(w, scores, CONCEPTS, classes=classes)
    learnt = few.learn(w, scores[:, :2], CONCEPTS[:2], classes=classes)
    for boundary, axis in zip(learnt, (0, 3), strict=True):
        assert boundary.normal[axis] > 0.95
        assert abs(boundary.normal[7]) < 0.1  # along which the classes differ


def test_classes_do_not_matter_where_they_change_nothing():
    w, scores = world(0.8)
    rng = np.random.default_rng(1)
    alone = learner(shrinkage=0.1).learn(w, scores, CONCEPTS)
    beside = learner(shrinkage=0.1).learn(w, scores, CONCEPTS, classes=rng.integers(0, 2, len(w)))
    for one, other in zip(alone, beside, strict=True):
        assert one.normal @ other.normal > 0.995


def test_conditional_directions_keep_the_concept_by_its_slope_and_not_by_its_restrained_normal():
    w, scores = world(0.8, noise=0.05)
    learnt = learner(shrinkage=0.01, restraint=4.0).learn(w, scores, CONCEPTS)
    slope = np.eye(D)[0]  # a/x is the first axis of w
    assert learnt.of("a/x").slope @ slope > 0.99
    assert abs(learnt.of("a/y").normal @ slope) > 0.03
    (kept,) = conditional_directions(learnt, [Condition(edit="a/y", keep=["a/x"])])
    assert abs(kept.normal @ slope) < 0.01
    by_hand = conditional(learnt.of("a/y"), [learnt.of("a/x")])  # as `manipulate --keep` does
    np.testing.assert_allclose(by_hand.normal, kept.normal, atol=1e-6)
    plain = replace(learnt.of("a/x"), slope=None)
    assert abs(conditional(learnt.of("a/y"), [plain]).normal @ slope) > 0.02


def test_slopes_are_stored_with_their_boundaries(tmp_path):
    w, scores = world(0.8)
    learnt = learner(per_layer=True).learn(np.stack([w, w], axis=1), scores, CONCEPTS)
    save_boundaries(learnt, tmp_path)
    for one, other in zip(load_boundaries(tmp_path)[0], learnt, strict=True):
        assert other.slope.shape == (2, D)
        np.testing.assert_array_equal(one.slope, other.slope)
    save_boundaries(Boundaries([replace(learnt[0], slope=learnt[0].slope[:1])]), tmp_path)
    with pytest.raises(ganstrata.UserError, match="boundary 0000 has a slope float32"):
        load_boundaries(tmp_path)
