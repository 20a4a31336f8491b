"""Check what every built-in learner must do, whatever it minimises."""

from __future__ import annotations

import ganstrata
import numpy as np
import pytest
import torch
from ganstrata.core.boundaries.files import load_boundaries, save_boundaries
from ganstrata.core.errors import ConfigError, DataError
from ganstrata.core.plugins.records import Concept
from scipy import stats

D = 8
CONCEPTS = [Concept("a/x", "colour"), Concept("a/y", "layout")]
LEARNERS = {
    "batched": ("linear_svm", {}),
    "liblinear": ("linear_svm", {"solver": "sklearn"}),
    "hinge": ("linear_svm", {"loss": "hinge", "C": 0.1, "max_iterations": 100_000}),
    "exact": ("linear_svm", {"solver": "exact"}),
    "logistic": ("logistic", {}),
    "mean_difference": ("mean_difference", {}),
    "lda": ("lda", {}),
    "ridge": ("ridge", {}),
    "classifier": ("sklearn", {"estimator": "sklearn.linear_model:RidgeClassifier"}),
    "regressor": ("sklearn", {"estimator": "sklearn.linear_model:BayesianRidge", "target": "scores"}),
}
every = pytest.mark.parametrize("which", LEARNERS)


def learner(which, **config):
    name, settings = LEARNERS[which]
    return ganstrata.load_learner(
        name, device="cpu", **{"positives": 150, "negatives": 150, **settings, **config}
    )


def world(n=1000, *, noise=0.3, seed=0, shift=0.0):
    """Codes (N, D), scores (N, 2) and the two planted unit directions (2, D)."""
    rng = np.random.default_rng(seed)
    directions = np.linalg.qr(rng.standard_normal((D, 2)))[0].T
    w = (rng.standard_normal((n, D)) + shift).astype(np.float32)
    scores = 0.4 + w @ directions.T + noise * rng.standard_normal((n, 2))
    return w, scores.astype(np.float32), directions


@every
@pytest.mark.parametrize("shift", [0.0, 4.0])
def test_planted_boundaries_are_recovered_with_sign_offset_and_unit_length(which, shift):
    w, scores, directions = world(shift=shift)
    boundaries = learner(which).learn(w, scores, CONCEPTS, seed=1)
    assert boundaries.names == ("a/x", "a/y")
    for boundary, direction, concept in zip(boundaries, directions, CONCEPTS, strict=True):
        assert boundary.normal @ direction > 0.96
        assert np.linalg.norm(boundary.normal) == pytest.approx(1.0, abs=1e-6)
        assert np.median(w @ boundary.normal + boundary.offset) == pytest.approx(
            0.0, abs=0.25
        )  # between two equal ends
        assert (boundary.level, boundary.space) == (concept.level, "w")
        assert (boundary.facts["positives"], boundary.facts["negatives"]) == (150, 150)
        assert boundary.facts["held_out_accuracy"] > 0.95
        assert 0.7 < boundary.facts["rest_accuracy"] <= boundary.facts["held_out_accuracy"]
        assert boundary.facts.get("converged", True) is True


@every
def test_a_layer_is_learnt_from_its_codes_alone(which):
    w, scores, _ = world()
    scores[::9, 1] = np.nan
    codes = np.stack([w, w[::-1], 2.0 * w[:, ::-1] + 1.0], axis=1)  # (N, 3, D)
    by_layer = learner(which, per_layer=True)
    assert by_layer.layerwise
    assert not learner(which).layerwise
    for j, boundary in enumerate(by_layer.learn(codes, scores, CONCEPTS, seed=2)):
        assert (boundary.normal.shape, boundary.offset.shape, boundary.space) == ((3, D), (3,), "w+")
        np.testing.assert_allclose(np.linalg.norm(boundary.normal, axis=1), 1.0, atol=1e-6)
        for layer in range(3):
            alone = learner(which).learn(codes[:, layer], scores[:, [j]], [CONCEPTS[j]], seed=2)[0]
            np.testing.assert_allclose(boundary.normal[layer], alone.normal, atol=2e-6)
            np.testing.assert_allclose(boundary.offset[layer], alone.offset, atol=1e-5)
            assert boundary.facts["layers"][layer].keys() == alone.facts.keys()
            assert boundary.facts["layers"][layer]["held_out_accuracy"] == alone.facts["held_out_accuracy"]


@every
def test_undefined_samples_are_never_used(which):
    w, scores, directions = world()
    scores[::3, 0] = np.nan
    spoiled = w.copy()
    spoiled[::3] = 1e6
    one, other = (learner(which).learn(x, scores[:, :1], CONCEPTS[:1])[0] for x in (w, spoiled))
    assert one.normal.tobytes() == other.normal.tobytes()
    assert one.facts == other.facts
    assert one.normal @ directions[0] > 0.96


@every
def test_same_bytes_twice_and_one_concept_does_not_change_another(which):
    w, scores, _ = world()
    one, two = (learner(which).learn(w, scores, CONCEPTS, seed=7) for _ in range(2))
    for a, b in zip(one, two, strict=True):
        assert (a.normal.tobytes(), a.offset.tobytes(), a.facts) == (
            b.normal.tobytes(),
            b.offset.tobytes(),
            b.facts,
        )
    alone = learner(which).learn(w, scores[:, 1:], CONCEPTS[1:], seed=7)[0]
    np.testing.assert_allclose(alone.normal, one[1].normal, atol=1e-6)
    other = learner(which).learn(w, scores, CONCEPTS, seed=8)
    assert other[0].normal.tobytes() != one[0].normal.tobytes()


@every
def test_with_scores_that_say_nothing_held_out_accuracy_is_one_half(which):
    """Of 100 concepts with 60 held-out samples each; scores are drawn apart from the codes."""
    rng = np.random.default_rng(3)
    w, scores = (
        rng.standard_normal((600, D)).astype(np.float32),
        rng.standard_normal((600, 100)).astype(np.float32),
    )
    concepts = [Concept(f"a/{j}", "colour") for j in range(100)]
    boundaries = learner(which, positives=100, negatives=100, train_share=0.7).learn(w, scores, concepts)
    right = np.array([b.facts["held_out_accuracy"] for b in boundaries])
    error = 0.5 / np.sqrt(100 * 60)
    assert abs(right.mean() - 0.5) < 4.0 * error
    # Normals point anywhere: their mean is no longer than chance makes it.
    length = 100 * D * np.square(np.mean([b.normal for b in boundaries], axis=0)).sum()
    assert length < stats.chi2.ppf(0.9999, D)


@every
def test_the_direction_is_the_one_within_classes(which):
    rng = np.random.default_rng(0)
    n, planted, confounded = 1500, np.eye(D)[0], np.eye(D)[1]
    classes = rng.integers(0, 2, n)
    # One axis separates the codes and scores of the classes; within a class another axis decides.
    w = rng.standard_normal((n, D)) + 3.0 * np.outer(classes, confounded)
    scores = w @ planted + 10.0 * classes
    w, scores = w.astype(np.float32), scores.astype(np.float32)[:, None]
    chosen = learner(which, positives=0.4, negatives=0.4)
    assert chosen.within_classes
    with_classes, without = (chosen.learn(w, scores, CONCEPTS[:1], classes=c)[0] for c in (classes, None))
    assert with_classes.normal @ planted > 0.95
    assert abs(with_classes.normal @ confounded) < 0.15
    assert without.normal @ confounded > 0.5  # what would be found by mistake


@every
def test_scores_that_cannot_be_learnt_are_refused_with_the_numbers(which):
    w, scores, _ = world()
    chosen = learner(which)
    with pytest.raises(
        DataError, match="every concept: 150 positives were requested, but there are 299 samples"
    ):
        chosen.check(299)
    with pytest.raises(
        DataError,
        match=r"a/x: the 150 highest and 150 lowest scores overlap: 1000 of 1000 samples score 0.5",
    ):
        chosen.learn(w, np.full((1000, 1), 0.5, np.float32), CONCEPTS[:1])
    with pytest.raises(DataError, match="a/x: the learner found no direction"):
        chosen.learn(np.ones_like(w), scores[:, :1], CONCEPTS[:1])
    with pytest.raises(ConfigError, match="train_share"):
        learner(which, train_share=1.0)
    with pytest.raises(ConfigError, match="per_layr"):
        learner(which, per_layr=True)


@every
def test_boundaries_survive_the_disk(which, tmp_path):
    """Facts are plain values, whatever the estimator returns."""
    w, scores, _ = world()
    boundaries = learner(which, per_layer=True).learn(np.stack([w, -w], axis=1), scores, CONCEPTS)
    save_boundaries(boundaries, tmp_path)
    for a, b in zip(boundaries, load_boundaries(tmp_path)[0], strict=True):
        assert (a.normal.tobytes(), a.offset.tobytes(), a.facts) == (
            b.normal.tobytes(),
            b.offset.tobytes(),
            b.facts,
        )


@every
def test_a_direction_is_found_with_fewer_samples_than_dimensions(which):
    rng = np.random.default_rng(6)
    w = rng.standard_normal((60, 100)).astype(np.float32)
    scores = (w[:, 0] + 0.1 * rng.standard_normal(60)).astype(np.float32)[:, None]
    (boundary,) = learner(which, positives=20, negatives=20).learn(w, scores, CONCEPTS[:1])
    assert boundary.normal[0] > 0.2  # chance gives 0.1
    assert boundary.normal[0] == np.abs(boundary.normal).max()


@pytest.mark.parametrize(
    "error", [np.linalg.LinAlgError("singular"), torch.linalg.LinAlgError("not positive-definite")]
)
def test_unsolvable_equations_are_reported_as_such(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    learner = ganstrata.load_learner("ridge", device="cpu", positives=20, negatives=20)

    def fail(samples: object) -> object:
        raise error

    monkeypatch.setattr(learner, "fit_concepts", fail)
    rng = np.random.default_rng(0)
    codes, scores = (
        rng.standard_normal((60, 4)).astype(np.float32),
        rng.standard_normal((60, 1)).astype(np.float32),
    )
    with pytest.raises(
        DataError, match=r"cannot be solved in double precision \(.*LinAlgError: .*codes go up to"
    ):
        learner.learn(codes, scores, [Concept("a", "object")])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_codes_that_are_not_finite_are_refused(value: float) -> None:
    learner = ganstrata.load_learner("linear_svm", device="cpu", positives=20, negatives=20)
    rng = np.random.default_rng(0)
    codes, scores = (
        rng.standard_normal((60, 4)).astype(np.float32),
        rng.standard_normal((60, 1)).astype(np.float32),
    )
    codes[3, 1] = value
    with pytest.raises(DataError, match="codes to learn from hold NaN or infinity"):
        learner.learn(codes, scores, [Concept("a", "object")])
