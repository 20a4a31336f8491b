"""Check the learner of the paper with planted boundaries, scikit-learn and the numbers of the authors."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import ganstrata
import numpy as np
import pytest
import torch
from ganstrata.core.boundaries.selection import select_extremes
from ganstrata.core.errors import ConfigError, DataError
from ganstrata.core.plugins.records import Concept
from ganstrata.plugins.boundaries import linear_svm
from ganstrata.plugins.boundaries.extremes import Problem
from ganstrata.plugins.boundaries.linear_svm import LinearSVM
from scipy import optimize
from sklearn.svm import SVC

D = 10
CONCEPTS = [Concept("a/x", "colour"), Concept("a/y", "layout")]


def learner(**config):
    return LinearSVM(LinearSVM.Config(**{"positives": 200, "negatives": 200, **config}), torch.device("cpu"))


def world(n=1500, *, noise=0.3, seed=0, shift=0.0):
    """Codes (N, D), scores (N, 2) of two planted unit directions and what they are (2, D)."""
    rng = np.random.default_rng(seed)
    directions = np.linalg.qr(rng.standard_normal((D, 2)))[0].T
    w = (rng.standard_normal((n, D)) + shift).astype(np.float32)
    scores = w @ directions.T + noise * rng.standard_normal((n, 2))
    return w, scores.astype(np.float32), directions


@pytest.mark.parametrize("loss", ["squared_hinge", "hinge"])
def test_planted_boundaries_are_recovered(loss):
    w, scores, directions = world()
    boundaries = learner(loss=loss).learn(w, scores, CONCEPTS, seed=1)
    assert boundaries.names == ("a/x", "a/y")
    for boundary, direction, concept in zip(boundaries, directions, CONCEPTS, strict=True):
        assert boundary.normal @ direction > 0.97
        assert np.linalg.norm(boundary.normal) == pytest.approx(1.0, abs=1e-6)
        assert abs(boundary.offset) < 0.2  # the middle of two equal ends
        assert boundary.level == concept.level
        assert (boundary.facts["positives"], boundary.facts["negatives"]) == (200, 200)
        assert boundary.facts["held_out_accuracy"] > 0.95
        assert 0.7 < boundary.facts["rest_accuracy"] < boundary.facts["held_out_accuracy"]


def test_distances_are_signed_towards_high_scores_also_far_from_the_origin():
    w, scores, _ = world(shift=5.0)
    boundary = learner().learn(w, scores[:, :1], CONCEPTS[:1])[0]
    distances = w @ boundary.normal + boundary.offset
    assert np.corrcoef(distances, scores[:, 0])[0, 1] > 0.9
    assert np.median(distances) == pytest.approx(0.0, abs=0.3)
    assert float(boundary.offset) == pytest.approx(-5.0 * boundary.normal.sum(), abs=0.3)


def test_accuracies_are_those_of_the_samples_left_out():
    w, scores, _ = world(noise=1.0)
    config = learner()
    boundary = config.learn(w, scores[:, :1], CONCEPTS[:1], seed=3)[0]
    selection = select_extremes(scores[:, 0], config.config, concept="a/x", seed=3)
    is_positive = (w.astype(np.float64) @ boundary.normal + boundary.offset) > 0.0
    assert boundary.facts["held_out_accuracy"] == pytest.approx(
        (is_positive[selection.held_out] == selection.held_out_labels).mean(), abs=1e-9
    )
    assert boundary.facts["rest_accuracy"] == pytest.approx(
        (is_positive[selection.rest] == selection.rest_labels).mean(), abs=0.005
    )
    assert len(selection.held_out) == 120
    assert boundary.facts["held_out_accuracy"] < 1.0


def test_the_squared_hinge_reaches_its_optimum():
    """Compare with a general minimiser of 1/2 |v|^2 + 1/2 b^2 + C sum max(0, 1 - y (v.x + b))^2."""
    w, scores, _ = world(n=300, noise=1.0)
    config = learner(positives=60, negatives=60, C=0.5)
    boundary = config.learn(w, scores[:, :1], CONCEPTS[:1], seed=2)[0]
    selection = select_extremes(scores[:, 0], config.config, concept="a/x", seed=2)
    x = w[selection.train].astype(np.float64)
    centre, y = x.mean(axis=0), 2.0 * selection.train_labels - 1.0

    def cost(v):
        slack = np.maximum(0.0, 1.0 - y * ((x - centre) @ v[:-1] + v[-1]))
        return 0.5 * v @ v + 0.5 * slack @ slack

    best = optimize.minimize(cost, np.zeros(D + 1), method="BFGS", options={"gtol": 1e-7}).x
    length = np.linalg.norm(best[:-1])
    np.testing.assert_allclose(boundary.normal, best[:-1] / length, atol=2e-3)
    assert float(boundary.offset) == pytest.approx((best[-1] - best[:-1] @ centre) / length, abs=2e-3)


def test_hinge_finds_the_plane_of_the_papers_kernel_svm():
    w, scores, _ = world(n=600, noise=0.5)
    config = learner(positives=100, negatives=100, loss="hinge", max_iterations=200_000)
    boundary = config.learn(w, scores[:, :1], CONCEPTS[:1], seed=4)[0]
    selection = select_extremes(scores[:, 0], config.config, concept="a/x", seed=4)
    plain = SVC(kernel="linear", C=1.0).fit(w[selection.train], selection.train_labels)
    length = np.linalg.norm(plain.coef_)
    assert boundary.normal @ plain.coef_[0] / length > 0.999
    assert float(boundary.offset) == pytest.approx(plain.intercept_[0] / length, abs=0.05)
    assert boundary.facts["converged"] is True


def test_a_solver_that_stops_early_records_it():
    """With the boundary, and not by scikit-learn's warning, which would be an error here."""
    w, scores, _ = world(n=300, noise=2.0)
    boundary = learner(positives=100, negatives=100, loss="hinge", C=100.0, max_iterations=1).learn(
        w, scores[:, :1], CONCEPTS[:1]
    )[0]
    assert boundary.facts["converged"] is False


def of_the_authors(name):
    with np.load(Path(__file__).parents[2] / "data" / name, allow_pickle=False) as file:
        return dict(file)


@pytest.mark.parametrize("case", ["num", "ratio", "too_many", "ratio_one", "invalid"])
def test_boundaries_are_those_of_the_papers_code(case):
    """Made with genforce/higan 2088e23, train_boundary: a kernel SVC on the extremes.

    The split is theirs by another generator of random numbers, so their training rows are handed over
    in their order. The same machine finds the same plane; another solver of the same loss nearly so.
    """
    reference = of_the_authors("higan_boundaries.npz")
    rows, labels = reference[f"{case}.train_idx"], reference[f"{case}.train_labels"].astype(np.int64)
    problem = Problem(reference["data"], rows, labels)
    direction, length = reference[f"{case}.direction"][0], np.linalg.norm(reference[f"{case}.coef"])
    (exact,) = learner(solver="exact").solve([problem], 0)
    assert exact.coefficients @ direction / np.linalg.norm(exact.coefficients) > 1.0 - 1e-6
    assert exact.intercept == pytest.approx(float(reference[f"{case}.intercept"][0]), rel=1e-6)
    assert exact.facts["converged"] is True
    (hinge,) = learner(loss="hinge", max_iterations=500_000).solve([problem], 0)
    assert hinge.coefficients @ direction / np.linalg.norm(hinge.coefficients) > 0.999
    assert hinge.intercept / np.linalg.norm(hinge.coefficients) == pytest.approx(
        float(reference[f"{case}.intercept"][0]) / length, abs=0.03
    )
    # The same samples are called extreme.
    scores = reference["scores_with_invalid" if case == "invalid" else "scores"]
    chosen = np.concatenate([rows, reference[f"{case}.val_idx"]])
    count = len(chosen) // 2
    known = np.where(scores == -99.0, np.nan, scores) if case == "invalid" else scores
    selection = select_extremes(
        known, LinearSVM.Config(positives=count, negatives=count), concept="a/x", seed=0
    )
    assert set(np.concatenate([selection.train, selection.held_out]).tolist()) == set(chosen.tolist())


def test_layerwise_boundaries_are_those_of_the_papers_code():
    reference = of_the_authors("higan_boundaries_layers.npz")
    labels = np.repeat([1, 0], 56)
    problems = [
        Problem(reference["data"][:, layer], reference[f"layer{layer}.train_idx"], labels)
        for layer in range(3)
    ]
    for hyperplane, direction in zip(
        learner(solver="exact").solve(problems, 0), reference["direction"][0], strict=True
    ):
        assert hyperplane.coefficients @ direction / np.linalg.norm(hyperplane.coefficients) > 1.0 - 1e-6


@pytest.mark.parametrize(
    ("options", "loss", "solver"),
    [
        ({}, "squared_hinge", "batched"),
        ({"loss": "hinge"}, "hinge", "sklearn"),
        ({"solver": "exact"}, "hinge", "exact"),
        ({"solver": "sklearn"}, "squared_hinge", "sklearn"),
        ({"loss": "hinge", "solver": "exact"}, "hinge", "exact"),
    ],
)
def test_loss_and_solver_follow_from_one_another(options, loss, solver):
    config = LinearSVM.Config(**options)
    assert (config.loss, config.solver) == (loss, solver)
    assert LinearSVM.Config(**config.model_dump()) == config


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"loss": "hinge", "solver": "batched"},
            "solver 'batched' has no hinge loss; take `loss: squared_hinge`, or `solver: sklearn`",
        ),
        (
            {"loss": "squared_hinge", "solver": "exact"},
            "solver 'exact' has hinge loss only; take `loss: hinge`",
        ),
    ],
)
def test_a_loss_that_a_solver_does_not_have_is_refused_with_what_to_do(options, message):
    with pytest.raises(ConfigError, match=message):
        ganstrata.load_learner("linear_svm", device="cpu", **options)


@pytest.mark.parametrize(
    "config", [{}, {"solver": "sklearn"}, {"loss": "hinge"}, {"solver": "exact"}], ids=str
)
def test_every_solver_says_whether_it_converged(config):
    w, scores, _ = world(n=300, noise=2.0)
    for limit, enough in ((None, True), (1, False)):
        settings = {**config, "max_iterations": limit, "C": 1e-3 if enough else 10.0}
        facts = (
            learner(positives=100, negatives=100, **settings).learn(w, scores[:, :1], CONCEPTS[:1])[0].facts
        )
        assert facts["converged"] is enough
        assert facts["iterations"] >= 1


def test_the_batched_solver_finds_what_scikit_learn_finds():
    """Other facts than those of the solver as well: both judge the same boundary on the same samples."""
    rng = np.random.default_rng(3)
    w, scores, _ = world(noise=1.0)
    scores[rng.random(len(scores)) < 0.2, 1] = np.nan
    for latents in (w, np.stack([w, w[::-1], 1.5 * w + 2.0], axis=1)):
        one, two = (
            learner(solver=solver, positives=0.3, negatives=0.2).learn(latents, scores, CONCEPTS)
            for solver in ("batched", "sklearn")
        )
        for a, b in zip(one, two, strict=True):
            assert (np.sum(a.normal * b.normal, axis=-1) > 0.999999).all()
            np.testing.assert_allclose(a.offset, b.offset, atol=1e-4)
            sides = zip(a.facts.get("layers", [a.facts]), b.facts.get("layers", [b.facts]), strict=True)
            for left, right in sides:
                assert left["held_out_accuracy"] == pytest.approx(right["held_out_accuracy"], abs=0.01)
                assert left["positives"] == right["positives"]


@pytest.mark.parametrize("config", [{"solver": "sklearn"}, {"loss": "hinge"}, {"solver": "exact"}], ids=str)
def test_a_finer_tolerance_takes_more_iterations(config):
    w, scores, _ = world(noise=0.5)
    coarse, fine = (
        learner(tolerance=t, max_iterations=1_000_000, **config).learn(w, scores[:, :1], CONCEPTS[:1])[0]
        for t in (0.3, 1e-5)
    )
    assert coarse.facts["iterations"] < fine.facts["iterations"]
    assert coarse.normal @ fine.normal > 0.9


def test_how_many_are_solved_together_does_not_matter(monkeypatch):
    w, scores, _ = world(noise=1.0)
    codes = np.stack([w, w[::-1]], axis=1)
    together = learner().learn(codes, scores, CONCEPTS)
    monkeypatch.setitem(linear_svm.MEMORY, "cpu", 1)
    alone = learner().learn(codes, scores, CONCEPTS)
    for a, b in zip(together, alone, strict=True):
        np.testing.assert_allclose(a.normal, b.normal, atol=1e-6)
        np.testing.assert_allclose(a.offset, b.offset, atol=1e-6)


def test_chunks_keep_order_and_bounds():
    problems = [
        Problem(np.zeros((9, 3), np.float32), np.arange(n), np.zeros(n, np.int64)) for n in (2, 9, 2, 2, 2)
    ]
    each = 2 * 4 * 32 + 2 * 16 * 8  # bytes of the short ones
    for memory, sizes in ((1, [1, 1, 1, 1, 1]), (2 * each, [1, 1, 2, 1]), (10**9, [5])):
        chunks = list(linear_svm._chunks(problems, memory))
        assert [len(chunk) for chunk in chunks] == sizes
        assert [p for chunk in chunks for p in chunk] == problems
    assert list(linear_svm._chunks([], 1)) == []


def test_a_boundary_per_layer_where_codes_have_layers():
    rng = np.random.default_rng(5)
    directions = rng.standard_normal((3, D))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    codes = rng.standard_normal((2000, 3, D)).astype(np.float32)
    scores = np.einsum("nld,ld->n", codes, directions).astype(np.float32)[:, None]
    boundary = learner(positives=600, negatives=600).learn(codes, scores, CONCEPTS[:1])[0]
    assert boundary.space == "w+"
    assert boundary.normal.shape == (3, D)
    assert boundary.offset.shape == (3,)
    assert (np.einsum("ld,ld->l", boundary.normal, directions) > 0.95).all()
    np.testing.assert_allclose(np.linalg.norm(boundary.normal, axis=1), 1.0, atol=1e-6)
    assert [sorted(facts) for facts in boundary.facts["layers"]] == [sorted(boundary.facts["layers"][0])] * 3
    # Each layer's boundary is the one that is learnt from that layer alone.
    alone = learner(positives=600, negatives=600).learn(codes[:, 1], scores, CONCEPTS[:1])[0]
    np.testing.assert_allclose(boundary.normal[1], alone.normal, atol=1e-6)


def test_undefined_samples_are_never_used():
    w, scores, _ = world()
    scores[::3, 0] = np.nan
    spoiled = w.copy()
    spoiled[::3] = 1e6
    one, other = (learner().learn(x, scores[:, :1], CONCEPTS[:1])[0] for x in (w, spoiled))
    np.testing.assert_array_equal(one.normal, other.normal)
    assert one.facts == other.facts


def test_same_seed_same_bytes_and_one_concept_does_not_change_another():
    w, scores, _ = world()
    one, two = (learner().learn(w, scores, CONCEPTS, seed=7) for _ in range(2))
    alone = learner().learn(w, scores[:, 1:], CONCEPTS[1:], seed=7)[0]
    other = learner().learn(w, scores, CONCEPTS, seed=8)
    for a, b in zip(one, two, strict=True):
        assert a.normal.tobytes() == b.normal.tobytes()
        assert a.offset.tobytes() == b.offset.tobytes()
    np.testing.assert_allclose(alone.normal, one[1].normal, atol=1e-6)
    assert other[0].normal.tobytes() != one[0].normal.tobytes()


def test_the_boundary_bears_the_space_and_the_generator():
    w, scores, _ = world()
    for space in ("z", "w"):
        boundaries = learner().learn(
            w, scores, CONCEPTS, generator=SimpleNamespace(space=space, fingerprint="abc")
        )
        assert {(b.space, b.generator) for b in boundaries} == {(space, "abc")}


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda s: s[:399],
            "a/x: 200 positives were requested, but there are 399 samples with a score, "
            "so 2 to 199 are possible",
        ),
        (
            lambda s: np.where(np.arange(len(s))[:, None] < 300, s, np.nan),
            "200 positives were requested, but there are 300 samples",
        ),
        (lambda s: np.full_like(s, np.nan), "there are 0 samples with a score"),
        (
            lambda s: np.full_like(s, 0.5),
            "a/x: the 200 highest and 200 lowest scores overlap: 1500 of 1500 samples score 0.5",
        ),
    ],
)
def test_scores_that_cannot_be_learnt_are_refused_with_the_numbers(spoil, message):
    w, scores, _ = world()
    scores = spoil(scores[:, :1])
    with pytest.raises(DataError, match=message):
        learner().learn(w[: len(scores)], scores, CONCEPTS[:1])


def test_codes_that_do_not_vary_give_no_direction():
    _, scores, _ = world()
    with pytest.raises(DataError, match="a/x: the learner found no direction"):
        learner().learn(np.ones((len(scores), D), np.float32), scores[:, :1], CONCEPTS[:1])


def test_more_extremes_than_samples_are_refused_before_any_work():
    with pytest.raises(
        DataError, match="every concept: 200 positives were requested, but there are 300 samples"
    ):
        learner().check(300)
    learner().check(400)


def test_linear_svm_is_found_by_name():
    assert type(ganstrata.load_learner("linear_svm", positives=10, negatives=10)) is LinearSVM
