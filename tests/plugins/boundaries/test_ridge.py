"""Check ridge regression with planted directions, the normal equations and undefined scores."""

from __future__ import annotations

from types import SimpleNamespace

import ganstrata
import numpy as np
import pytest
import torch
from ganstrata.core.errors import DataError
from ganstrata.core.plugins.records import Concept
from ganstrata.plugins.boundaries.ridge import Ridge
from sklearn.linear_model import Ridge as Plain

D = 10
CONCEPTS = [Concept(f"a/{name}", "colour") for name in "xyz"]


def learner(**config):
    return Ridge(Ridge.Config(**{"positives": 100, "negatives": 100, **config}), torch.device("cpu"))


def world(n=1500, *, noise=0.3, seed=0, shift=0.0):
    """Codes (N, D), scores (N, 3) of planted unit directions and what these are (3, D)."""
    rng = np.random.default_rng(seed)
    directions = np.linalg.qr(rng.standard_normal((D, 3)))[0].T
    w = (rng.standard_normal((n, D)) + shift).astype(np.float32)
    scores = 0.7 + w @ directions.T + noise * rng.standard_normal((n, 3))
    return w, scores.astype(np.float32), directions


def by_normal_equations(w, y, alpha):
    """Slope (D,) and level of the regression with an unpenalised level, in closed form."""
    w, y = w.astype(np.float64), y.astype(np.float64)
    x = w - w.mean(axis=0)
    slope = np.linalg.inv(x.T @ x + alpha * np.eye(w.shape[1])) @ x.T @ (y - y.mean())
    return slope, y.mean() - slope @ w.mean(axis=0)


def test_planted_boundaries_are_recovered():
    w, scores, directions = world()
    boundaries = learner().learn(w, scores, CONCEPTS, seed=1)
    assert boundaries.names == ("a/x", "a/y", "a/z")
    for boundary, direction in zip(boundaries, directions, strict=True):
        assert boundary.normal @ direction > 0.995
        assert np.linalg.norm(boundary.normal) == pytest.approx(1.0, abs=1e-6)
        assert boundary.facts["samples"] == 1050  # 70 %
        assert boundary.facts["held_out_accuracy"] > 0.97
        assert 0.7 < boundary.facts["rest_accuracy"] <= boundary.facts["held_out_accuracy"]


@pytest.mark.parametrize("alpha", [1e-6, 1.0, 500.0])
@pytest.mark.parametrize("shift", [0.0, 3.0])
def test_it_is_ridge_regression_with_the_hyperplane_at_the_mean_score(alpha, shift):
    w, scores, _ = world(n=400, shift=shift)
    share = 1.0 - 1e-9  # of 400 samples all are fitted
    boundaries = learner(alpha=alpha, train_share=share).learn(w, scores, CONCEPTS)
    for j, boundary in enumerate(boundaries):
        slope, level = by_normal_equations(w, scores[:, j], alpha)
        plain = Plain(alpha=alpha).fit(w.astype(np.float64), scores[:, j].astype(np.float64))
        np.testing.assert_allclose(slope, plain.coef_, rtol=1e-6, atol=1e-9)
        length = np.linalg.norm(slope)
        np.testing.assert_allclose(boundary.normal, slope / length, atol=1e-6)
        # A score is predicted at its mean exactly where the signed distance is 0.
        predicted = w @ slope + level
        np.testing.assert_allclose(
            w @ boundary.normal + boundary.offset, (predicted - scores[:, j].mean()) / length, atol=1e-4
        )
        assert boundary.facts["held_out_accuracy"] is None
        assert boundary.facts["rest_accuracy"] is None


def test_only_samples_that_were_not_fitted_measure_accuracy():
    """With as many codes as samples everything can be fitted, and nothing can be predicted."""
    rng = np.random.default_rng(2)
    w, scores = (
        rng.standard_normal((400, 300)).astype(np.float32),
        rng.standard_normal((400, 1)).astype(np.float32),
    )
    boundary = learner(alpha=1e-3).learn(w, scores, CONCEPTS[:1])[0]
    is_positive = w @ boundary.normal + boundary.offset > 0.0
    extremes = np.argsort(scores[:, 0])[np.r_[0:100, 300:400]]
    assert (is_positive[extremes] == (scores[extremes, 0] > 0.0)).mean() > 0.8
    assert 0.25 < boundary.facts["held_out_accuracy"] < 0.75
    assert (boundary.facts["positives"], boundary.facts["negatives"]) == (100, 100)


def test_concepts_undefined_for_different_samples_are_each_fitted_to_their_own():
    w, scores, directions = world()
    holes = scores.copy()
    holes[::3, 0] = np.nan
    holes[w[:, 0] > 0.5, 2] = np.nan
    together = learner().learn(w, holes, CONCEPTS, seed=4)
    for j, boundary in enumerate(together):
        alone = learner().learn(w, holes[:, [j]], [CONCEPTS[j]], seed=4)[0]
        np.testing.assert_allclose(boundary.normal, alone.normal, atol=1e-6)
        assert boundary.facts == alone.facts
        assert boundary.normal @ directions[j] > 0.99
    assert together[0].facts["samples"] < together[1].facts["samples"] == 1050
    spoiled = w.copy()
    spoiled[::3] = 1e6
    boundary = learner().learn(spoiled, holes[:, :1], CONCEPTS[:1], seed=4)[0]
    np.testing.assert_allclose(boundary.normal, together[0].normal, atol=1e-6)


def test_boundaries_keep_the_order_of_the_concepts():
    w, scores, _ = world()
    scores[:5, 1] = np.nan
    plain = learner().learn(w, scores, CONCEPTS)
    turned = learner().learn(w, scores[:, ::-1], CONCEPTS[::-1])
    assert turned.names == plain.names[::-1]
    for boundary in plain:
        np.testing.assert_allclose(turned.of(boundary.name).normal, boundary.normal, atol=1e-6)


def test_same_seed_same_bytes():
    w, scores, _ = world()
    one, two, other = (learner().learn(w, scores, CONCEPTS, seed=seed) for seed in (7, 7, 8))
    for a, b, c in zip(one, two, other, strict=True):
        assert (a.normal.tobytes(), a.offset.tobytes()) == (b.normal.tobytes(), b.offset.tobytes())
        assert a.normal.tobytes() != c.normal.tobytes()


def test_the_boundary_bears_the_space_and_the_generator():
    w, scores, _ = world()
    boundaries = learner().learn(w, scores, CONCEPTS, generator=SimpleNamespace(space="z", fingerprint="abc"))
    assert {(b.space, b.generator) for b in boundaries} == {("z", "abc")}


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda s: s[:150],
            "a/x: 100 positives were requested, but there are 150 samples with a score, "
            "so 2 to 75 are possible",
        ),
        (
            lambda s: np.where(np.arange(len(s))[:, None] < 120, s, np.nan),
            "a/x: 100 positives were requested, but there are 120 samples",
        ),
        (
            lambda s: np.full_like(s, np.nan),
            "a/x: 0 of 1500 samples have a score, and 0 of them are to be fitted",
        ),
        (
            lambda s: np.full_like(s, 0.5),
            "a/x: the 100 highest and 100 lowest scores overlap: 1500 of 1500 samples score 0.5",
        ),
    ],
)
def test_scores_that_cannot_be_learnt_are_refused_with_the_numbers(spoil, message):
    w, scores, _ = world()
    scores = spoil(scores[:, :1])
    with pytest.raises(DataError, match=message):
        learner().learn(w[: len(scores)], scores, CONCEPTS[:1])


def test_codes_with_layers_get_a_boundary_for_each():
    w, scores, _ = world()
    scores[::7, 1] = np.nan
    codes = np.stack([w, w[::-1], w + 2.0], axis=1)
    for j, boundary in enumerate(learner().learn(codes, scores, CONCEPTS, seed=3)):
        assert boundary.space == "w+"
        assert boundary.normal.shape == (3, D)
        for layer in range(3):
            alone = learner().learn(codes[:, layer], scores[:, [j]], [CONCEPTS[j]], seed=3)[0]
            np.testing.assert_allclose(boundary.normal[layer], alone.normal, atol=1e-6)
            np.testing.assert_allclose(boundary.offset[layer], alone.offset, atol=1e-5)
            assert boundary.facts["layers"][layer] == alone.facts


def test_codes_that_do_not_vary_give_no_direction():
    _, scores, _ = world()
    with pytest.raises(DataError, match="a/x: the learner found no direction"):
        learner().learn(np.ones((len(scores), D), np.float32), scores, CONCEPTS)


def test_more_extremes_than_samples_are_refused_before_any_work():
    with pytest.raises(
        DataError, match="every concept: 100 positives were requested, but there are 199 samples"
    ):
        learner().check(199)
    learner().check(200)


def test_ridge_is_found_by_name():
    assert type(ganstrata.load_learner("ridge", positives=10, negatives=10, alpha=0.5)) is Ridge
