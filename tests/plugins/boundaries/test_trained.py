"""Learners that train through the generator find what is planted, and leave everything else alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ganstrata
import numpy as np
import planted_factors
import planted_training
import pytest
import torch
from built_in_plugins import LEARNERS
from ganstrata import ConfigError, DataError, LayerError, UserError
from ganstrata.core.boundaries.files import load_boundaries
from ganstrata.core.conformance.random_state import RandomStates
from ganstrata.plugins.boundaries.training import Course, Descent
from ganstrata.plugins.boundaries.walks import HIDDEN, Recurrent, Straight, bend
from ganstrata.testing import conformance
from numpy.typing import NDArray

CPU = torch.device("cpu")
QUICK: dict[str, dict[str, Any]] = {
    name: dict(LEARNERS[name][1]) for name in ("joint", "steer", "assessor", "sae")
}
test_joint = conformance("boundary", "joint", QUICK["joint"])
test_steer = conformance("boundary", "steer", QUICK["steer"])
test_assessor = conformance("boundary", "assessor", QUICK["assessor"])
test_sae = conformance("boundary", "sae", QUICK["sae"])


def generator(name: str) -> ganstrata.Generator:
    kind = getattr(planted_training, name)
    built: ganstrata.Generator = kind(kind.Config(), CPU)
    return built


def learnt(use: str, generator: ganstrata.Generator, **options: Any) -> ganstrata.Boundaries:
    learner = ganstrata.load_learner(use, device="cpu", **options)
    nothing = np.zeros((0, generator.card.code_size), np.float32)
    return learner.learn(nothing, nothing[:, :0], [], generator=generator, seed=0)


def cosines(found: Sequence[ganstrata.Boundary], truth: NDArray[np.floating]) -> NDArray[np.float64]:
    return np.stack([boundary.normal for boundary in found]) @ np.asarray(truth, dtype=np.float64).T


def test_joint_recovers_the_axes_that_can_be_told_apart() -> None:
    found = learnt(
        "joint", generator("Rivals"), directions=4, steps=150, direction_rate=0.03, reconstructor_rate=0.002
    )
    table = np.abs(cosines(found, np.eye(12)[:4]))
    assert sorted(table.argmax(axis=1)) == [0, 1, 2, 3]
    assert table.max(axis=1).min() > 0.9
    assert [boundary.name for boundary in found] == [f"joint/{i}" for i in range(4)]
    np.testing.assert_allclose(cosines(found, np.stack([b.normal for b in found])), np.eye(4), atol=1e-5)
    recognised = [boundary.facts["recognised"] for boundary in found]
    assert recognised == sorted(recognised, reverse=True)
    facts = found[0].facts
    assert np.mean(recognised) == pytest.approx(facts["reconstructor_accuracy"], abs=1e-3)
    assert facts["reconstructor_accuracy"] > 0.8
    assert facts["chance"] == 0.25
    assert facts["loss"] < 0.5 * facts["first_loss"]


def test_joint_on_directions_that_change_nothing_is_at_chance() -> None:
    idle = generator("Rivals")
    idle.map = lambda z, condition=None: z  # type: ignore[method-assign]
    idle.stratum = lambda s, state, code, style=None: ganstrata.State(state.x + 0.0 * code[:, :1, None, None])  # type: ignore[method-assign]
    found = learnt("joint", idle, directions=4, steps=10, batch=8)
    assert abs(found[0].facts["reconstructor_accuracy"] - 0.25) < 0.1


def test_walks_find_the_axes_that_make_the_edit() -> None:
    box = generator("Paintbox")
    found = learnt(
        "steer", box, edits=["brightness", "red", "shift_x", "shift_y"], steps=80, batch=8, rate=0.1
    )
    assert [b.name for b in found] == ["steer/brightness", "steer/red", "steer/shift_x", "steer/shift_y"]
    table = cosines(found[:3], np.eye(8)[:3])
    assert np.diag(table).min() > 0.95, table
    explained = [boundary.facts["explained"] for boundary in found]
    assert min(explained[:2]) > 0.9
    assert explained[2] > 0.3
    assert abs(explained[3]) < 0.1  # nothing moves up or down, and shifting rows that are equal is no change


@torch.no_grad()
def test_a_recurrent_walk_of_two_steps_is_one_step_taken_twice() -> None:
    source = torch.Generator().manual_seed(0)
    walk = Recurrent(torch.randn(8, generator=source), 2, source)
    walk.out *= 2000.0  # so that it bends
    codes = torch.randn(5, 8, generator=source)
    amounts = torch.tensor([1.0, -1.0, 0.5, -0.5, 0.0])
    ends = codes + walk.displacement(codes, amounts)
    for i, signs in enumerate([(1.0, 1.0), (-1.0, -1.0), (1.0,), (-1.0,), ()]):
        at = codes[i : i + 1]
        for sign in signs:
            at = at + sign * (walk.vector + torch.tanh(at @ walk.into.T) @ walk.out.T / HIDDEN)
        torch.testing.assert_close(ends[i : i + 1], at)
    assert bend(walk.displacement(codes, torch.ones(5))) < 0.99
    assert bend(Straight(codes[0]).displacement(codes, torch.ones(5))) == pytest.approx(1.0)


def test_recurrent_walks_bend_where_the_edit_asks_for_it_and_nowhere_else() -> None:
    """`Curved` is as bright as axis 0 is large on either side, so the way up depends on the side."""
    options = {"steps": 80, "rate": 0.1, "walk": "recurrent", "recurrence": 2}
    (flat,) = learnt("steer", generator("Paintbox"), edits=["brightness"], **options)
    assert abs(flat.normal[0]) > 0.9
    assert flat.facts["straightness"] > 0.95
    assert flat.facts["explained_walk"] > 0.9
    assert flat.facts["explained"] == pytest.approx(flat.facts["explained_walk"], abs=0.05)
    (bent,) = learnt("steer", generator("Curved"), edits=["brightness"], **options | {"steps": 150})
    (straight,) = learnt("steer", generator("Curved"), edits=["brightness"], **options | {"walk": "linear"})
    assert bent.facts["straightness"] < 0.95
    assert bent.facts["explained"] < 0.2
    assert straight.facts["explained"] < 0.2
    assert bent.facts["explained_walk"] > straight.facts["explained"] + 0.3
    assert "straightness" not in straight.facts


def test_an_assessor_finds_the_direction_of_its_concept(planted) -> None:
    factors = planted_factors.Factors(planted_factors.Factors.Config(), CPU)
    found = learnt(
        "assessor",
        factors,
        scorer={"use": "planted_judge", "with": {"inverted": ["three"]}},
        concepts=["two", "three"],
        steps=60,
        rate=0.05,
    )
    assert [boundary.name for boundary in found] == ["assessor/two", "assessor/three"]
    table = cosines(found, np.eye(12)[:4])
    assert table[0, 1] > 0.95
    assert table[1, 2] < -0.95  # what raises the score, not the factor
    assert all(boundary.facts["explained"] > 0.8 for boundary in found)
    assert found[0].facts["score_sd"] == pytest.approx(1.0, abs=0.15)


def test_an_assessor_leaves_out_samples_whose_score_is_undefined(fakes) -> None:
    layers = ganstrata.load_generator("fake_layers", device="cpu")
    scorer = {"use": "fake_readings"}
    (found,) = learnt("assessor", layers, scorer=scorer, concepts=["half"], steps=40, rate=0.05)
    assert found.normal[0] > 0.8  # `half` reads `left`, in half of the pictures


def test_a_dictionary_holds_sparse_atoms_that_components_do_not() -> None:
    sparse = generator("Sparse")
    truth = sparse.atoms.numpy()  # type: ignore[attr-defined]
    found = learnt("sae", sparse, directions=16, dictionary=24, active=2, steps=500, batch=128, rate=0.02)
    best = cosines(found, truth).max(axis=0)  # of each planted atom
    w = sparse.map(torch.randn(4000, 16, generator=torch.Generator().manual_seed(0))).numpy()
    components = np.linalg.svd(w - w.mean(axis=0), full_matrices=False)[2]
    by_pca = np.abs(components @ truth.T).max(axis=0)
    assert np.sum(best > 0.9) >= 12, best
    assert np.sum(by_pca > 0.9) <= 2, by_pca
    fires = [boundary.facts["fires"] for boundary in found]
    assert fires == sorted(fires, reverse=True)
    assert found[0].facts["variance_explained"] > 0.8
    assert found[0].facts["active_atoms"] <= 2.0


@pytest.mark.parametrize("use", QUICK)
def test_training_leaves_generator_and_random_numbers_alone_and_is_on_in_inference_mode(use: str) -> None:
    box = generator("Paintbox")
    before = RandomStates.current()
    with torch.inference_mode():
        found = learnt(use, box, **QUICK[use])
    again = learnt(use, box, **QUICK[use])
    for one, other in zip(found, again, strict=True):
        np.testing.assert_allclose(one.normal, other.normal, atol=1e-5)
    assert RandomStates.current().changed_since(before) == []
    strength = box.strength  # type: ignore[attr-defined]
    assert strength.requires_grad
    assert strength.grad is None


@pytest.mark.parametrize("use", QUICK)
def test_each_goes_through_a_whole_run(use: str, fakes, config, tmp_path: Path) -> None:
    config["boundary"] = {"use": use, "with": QUICK[use]}
    config["synthesis"]["samples"], config["rescoring"]["samples"] = 128, 16
    config["rescoring"] |= {"layers": ["all"], "null_directions": 5}
    run = ganstrata.run(config, tmp_path / "run")
    found = load_boundaries(run.path)[0]
    assert all(boundary.name.startswith(f"{use}/") and boundary.concept for boundary in found)
    assert (run.path / "report.html").is_file()
    assert f"{use}/" in (run.path / "rescoring.csv").read_text("utf-8")


@pytest.mark.parametrize("use", ["joint", "steer", "assessor"])
def test_a_generator_without_gradients_is_refused(use: str) -> None:
    options = QUICK[use] | ({"concepts": ["value"]} if use == "assessor" else {})
    with pytest.raises(UserError, match=r"Severed passes no gradients .* and boundary learner '\w+' .*take"):
        learnt(use, generator("Severed"), **options)


@pytest.mark.parametrize(
    ("use", "options", "kind", "message"),
    [
        ("joint", {"directions": 20}, DataError, "directions: 20 .* 12 dimensions; ask for at most 12"),
        ("joint", {"directions": 1}, ConfigError, "directions"),
        ("steer", {"layers": "3-9"}, LayerError, "9"),
        ("steer", {"edits": ["zoom", "zoom"]}, ConfigError, "an edit is named twice"),
        ("steer", {"edits": ["spin"]}, ConfigError, "edits"),
        ("steer", {"edits": []}, ConfigError, "edits"),
        ("sae", {"directions": 9, "dictionary": 8}, ConfigError, "must be at most `dictionary`"),
        ("assessor", {"scorer": {"use": "hue"}, "concepts": ["rde"]}, ConfigError, "Did you mean 'red'"),
        ("assessor", {"scorer": {"use": "heu"}, "concepts": ["red"]}, Exception, "heu"),
        (
            "assessor",
            {"scorer": {"use": "fake_constant"}, "concepts": ["one"]},
            DataError,
            "'one' .*constant",
        ),
        (
            "assessor",
            {"scorer": {"use": "fake_regions"}, "concepts": ["lamp"]},
            UserError,
            "have no gradients, so no direction can follow them",
        ),
    ],
)
def test_what_cannot_be_trained_is_refused(
    use: str, options: dict[str, Any], kind: type[Exception], message: str, fakes
) -> None:
    factors = planted_factors.Factors(planted_factors.Factors.Config(), CPU)
    with pytest.raises(kind, match=message):
        learnt(use, factors, **QUICK[use] | options)


def test_without_a_generator_there_is_nothing_to_train(fakes) -> None:
    learner = ganstrata.load_learner("joint", device="cpu")
    with pytest.raises(DataError, match=r"needs the generator: give learn\(\) generator="):
        learner.learn(np.zeros((4, 2), np.float32), np.zeros((4, 1), np.float32), [])


def test_a_loss_that_is_not_finite_stops_the_training() -> None:
    course = Course(generator("Rivals"), "boundary learner 'mine'", 0, "fp32", lambda _: None, (0,))
    parameter = torch.zeros(2, requires_grad=True)
    descent = Descent(course, [([parameter], 0.1)], 5)
    descent.take([parameter.sum()])
    before = parameter.detach().clone()
    with pytest.raises(
        DataError, match=r"'mine': the loss is not finite in step 2 of 5; give a smaller rate"
    ):
        descent.take([parameter.sum() * float("inf")])
    assert torch.equal(parameter, before)


def test_in_fp16_gradients_that_would_vanish_count_and_those_that_overflow_leave_a_step_out() -> None:
    """A number in fp16 is at least 6e-8 and at most 65504; Adam's step does not depend on its size."""

    class Half(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
            return x.clone()

        @staticmethod
        def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
            return gradient.half().float()

    def trained(
        slope: float, precision: str, steps: int = 1, of: int = 20
    ) -> tuple[torch.Tensor, torch.Tensor]:
        course = Course(generator("Rivals"), "boundary learner 'mine'", 0, precision, lambda _: None, (0,))
        parameter = torch.zeros(1, requires_grad=True)
        descent = Descent(course, [([parameter], 0.1)], of)
        for _ in range(steps):
            descent.take([slope * Half.apply(parameter).sum()])
        return parameter.detach(), torch.zeros(1) if parameter.grad is None else parameter.grad

    moved, gradient = trained(1e-8, "fp16")
    assert gradient.item() == pytest.approx(1e-8, rel=0.01)
    assert moved.item() < -0.04
    assert trained(1e-8, "fp32")[0].item() == 0.0  # without the scale the gradient is lost
    still, _ = trained(100.0, "fp16")  # 100 * 2^15 overflows
    assert still.item() == 0.0
    moved, gradient = trained(100.0, "fp16", steps=8)
    assert gradient.item() == pytest.approx(100.0, rel=0.01)
    assert moved.item() < -0.04
    with pytest.raises(DataError, match=r"'mine': gradients overflow in fp16 in step 16 of 20; take .* bf16"):
        trained(1e6, "fp16", steps=20)
    # A short training of which every step is left out has found nothing, and must not pass as one that has.
    with pytest.raises(DataError, match="gradients overflow in fp16 in step 3 of 3"):
        trained(1e6, "fp16", steps=3, of=3)
    assert trained(3.0, "fp16", steps=3, of=3)[0].item() < 0.0  # the first two steps overflow


def test_only_the_chosen_layers_move() -> None:
    layers = ganstrata.Boundaries(learnt("joint", generator("Rivals"), **QUICK["joint"], layers="1-2"))
    assert {boundary.layers for boundary in layers} == {(1, 2)}
    # Factor 3 alone is painted, at the last layer, so nothing that moves can be recognised.
    assert layers[0].facts["reconstructor_accuracy"] < 0.5
