"""The two kinds of null directions: random ones, and those learnt from permuted scores."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import ganstrata
import numpy as np
import pytest
import torch
from ganstrata import Boundary, BoundaryLearner, Concept, PluginConfig
from ganstrata.core.boundaries.null_directions import (
    NULL_FILE,
    at_layers,
    null_directions,
    null_layers,
    permuted_directions,
    random_directions,
)
from ganstrata.core.errors import ConfigError, RunError
from ganstrata.core.runs.prepare import prepare
from ganstrata.core.runs.run import Run
from planted_styles import Painted

CONCEPTS = (Concept("up", "attribute"), Concept("side", "attribute"))


def latents_and_scores(n: int = 4000, d: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """Latents that are eight times as wide along the first axis, and scores that are two of the others."""
    rng = np.random.default_rng(5)
    latents = rng.standard_normal((n, d)).astype(np.float32)
    latents[:, 0] *= 8.0
    return latents, latents[:, 1:3].copy()


@pytest.fixture(scope="module")
def permuted() -> np.ndarray:
    latents, scores = latents_and_scores()
    learner = ganstrata.load_learner("ridge", device="cpu", positives=500, negatives=500)
    return permuted_directions(learner.learn, latents, scores, CONCEPTS, count=60, seed=0)


def test_permuted_scores_lead_nowhere_in_particular(permuted: np.ndarray) -> None:
    assert permuted.shape == (60, 12)
    np.testing.assert_allclose(np.linalg.norm(permuted, axis=1), 1.0, rtol=1e-5)
    assert abs(permuted[0::2, 1].mean()) < 4.0 * 0.3 / np.sqrt(30)  # the axis of the first concept
    assert np.abs(permuted[:, 1]).max() < 0.95
    assert np.abs(np.triu(permuted @ permuted.T, 1)).max() < 0.99  # each is a permutation of its own


def test_permuted_directions_know_the_spread_of_the_latents(permuted: np.ndarray) -> None:
    """A slope fitted to noise is an eighth as large along an axis that is eight times as wide."""
    assert np.sqrt((permuted[:, 0] ** 2).mean()) == pytest.approx(
        np.sqrt((permuted[:, 1:] ** 2).mean()) / 8.0, rel=0.4
    )


def test_permuted_directions_depend_on_the_seed_alone(permuted: np.ndarray) -> None:
    latents, scores = latents_and_scores()
    learner = ganstrata.load_learner("ridge", device="cpu", positives=500, negatives=500)
    again = permuted_directions(learner.learn, latents, scores, CONCEPTS, count=3, seed=0)
    np.testing.assert_array_equal(again, permuted[:3])
    other = permuted_directions(learner.learn, latents, scores, CONCEPTS, count=3, seed=1)
    assert not np.allclose(other, again)


def test_a_run_against_permuted_scores(fakes, config, tmp_path: Path) -> None:
    config["rescoring"] |= {"null": "permuted", "layers": ["all"]}
    run = ganstrata.run(config, tmp_path / "run")
    directions = null_directions(run, prepare(run.config))
    assert directions.shape == (12, 16)
    assert NULL_FILE in run.manifest["stages"]["learn"]["files"]
    factors = set(run.manifest["stages"]["rescore"]["factors"])
    assert {"seen/left", "seen/red"} <= factors
    assert "permuted scores" in (run.path / "report.html").read_text(encoding="utf-8")

    (run.path / NULL_FILE).write_bytes(b"damaged")
    with pytest.raises(RunError, match="ganstrata learn"):
        null_directions(run, prepare(run.config))
    again = ganstrata.run(config, run.path)  # what was damaged is noticed, and made again
    np.testing.assert_array_equal(null_directions(again, prepare(again.config)), directions)


def test_random_directions_are_not_stored(fakes, finished: Run) -> None:
    assert not (finished.path / NULL_FILE).exists()
    directions = null_directions(finished, prepare(finished.config))
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1.0, rtol=1e-5)


class Axes(BoundaryLearner):
    """A learner that names its own directions and uses no scores."""

    supervised = False

    def learn(self, latents, scores, concepts, *, generator=None, seed=0):
        raise NotImplementedError


def test_a_learner_that_looks_at_no_score_has_no_permuted_null(fakes, config, register) -> None:
    register("boundary", "axes", Axes)
    config["boundary"] = {"use": "axes"}
    config["rescoring"]["null"] = "permuted"
    from ganstrata.core.config.reading import validate

    with pytest.raises(ConfigError, match="uses no scores"):
        prepare(validate(config, "test"))


def test_scores_are_permuted_within_their_class() -> None:
    """What the samples of a class have in common does not affect null directions."""
    classes = np.random.default_rng(0).integers(0, 3, 60)
    scores = np.arange(60, dtype=np.float32)[:, None]
    given: list[np.ndarray] = []

    def fit(latents, values, concepts):
        given.append(values[:, 0])
        return [
            Boundary("up", "attribute", np.eye(4, dtype=np.float32)[0], np.zeros((), np.float32), "w", "")
        ]

    permuted_directions(
        fit, np.zeros((60, 4), np.float32), scores, CONCEPTS[:1], count=5, seed=0, classes=classes
    )
    for values in given:
        assert sorted(values) == list(range(60))
        assert (classes[values.astype(int)] == classes).all()
        assert (values.astype(int) != np.arange(60)).mean() > 0.8
    assert len({values.tobytes() for values in given}) == 5
    given.clear()
    permuted_directions(fit, np.zeros((60, 4), np.float32), scores, CONCEPTS[:1], count=5, seed=0)
    assert any((classes[values.astype(int)] != classes).any() for values in given)


def test_null_directions_of_a_joint_learner_are_learnt_from_all_concepts_together() -> None:
    """Each is what the learner gives for its concept if the scores of all concepts are permuted alike."""
    latents, _ = latents_and_scores(400, 6)
    noise = np.random.default_rng(1).standard_normal((400, 1)).astype(np.float32)
    scores = latents[:, 1:3] + 3.0 * noise  # two concepts that go together, whatever the latents
    learner = ganstrata.load_learner("soft_conditional", device="cpu", restraint=1000.0)
    assert learner.jointly
    assert not ganstrata.load_learner("ridge", device="cpu").jointly
    orders: list[np.ndarray] = []

    def fit(latents, values, concepts):
        orders.append(values)
        return learner.learn(latents, values, concepts)

    found = permuted_directions(fit, latents, scores, CONCEPTS, count=3, seed=0, jointly=True)
    for r, values in enumerate(orders):
        assert sorted(map(tuple, values)) == sorted(map(tuple, scores))  # rows stay whole
        np.testing.assert_array_equal(found[r], learner.learn(latents, values, CONCEPTS)[r % 2].normal)
    alone = permuted_directions(learner.learn, latents, scores, CONCEPTS, count=3, seed=0)
    assert np.abs((alone * found).sum(axis=1)).min() < 0.9


def test_in_s_a_null_direction_at_some_layers_lies_in_their_channels_and_is_as_long() -> None:
    generator = Painted(PluginConfig(), torch.device("cpu"))  # three channels of layer 0, six of layer 1
    directions = random_directions(generator, 5, 0, layerwise=False, styles=True)
    cut = at_layers(generator, directions, (0,), styles=True)
    expected = directions[:, :3] / np.linalg.norm(directions[:, :3], axis=1, keepdims=True)
    np.testing.assert_allclose(cut, np.concatenate([expected, np.zeros((5, 6))], axis=1), rtol=1e-6)
    assert cut.dtype == np.float32
    assert not at_layers(generator, directions, (7,), styles=True).any()  # no such channel, and no NaN
    for layers, styles in ((None, True), ((0,), False)):
        assert at_layers(generator, directions, layers, styles=styles) is directions


def test_null_directions_are_moved_at_each_set_of_layers_once() -> None:
    at = [(1, 2), None, (0,), (1, 2), None]
    layers, kind = null_layers([SimpleNamespace(layers=own) for own in at])  # type: ignore[misc]
    assert layers == ((1, 2), None, (0,))
    assert kind.tolist() == [0, 1, 2, 0, 1]
