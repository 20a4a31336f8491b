"""Boundaries in s, the space of style channels: what is planted in one channel is found in it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import ganstrata
import numpy as np
import pytest
import torch
from built_in_plugins import LEARNERS
from ganstrata import Boundaries, Boundary, MismatchError, UserError
from ganstrata.core.boundaries.files import load_boundaries, save_boundaries
from ganstrata.core.boundaries.null_directions import random_directions
from ganstrata.core.config.reading import validate
from ganstrata.core.config.schema import Condition
from ganstrata.core.errors import ConfigError, PluginBroken
from ganstrata.core.probing.styles import styles_of_samples
from ganstrata.core.runs.facts import facts_of
from ganstrata.core.runs.prepare import prepare

SUPERVISED = ("linear_svm", "logistic", "ridge", "soft_conditional", "lda", "mean_difference", "an estimator")
LAYERS = {"left": 1, "checks": 2, "stripes": 5, "red": 7}


@pytest.fixture
def styled(fakes) -> ganstrata.Generator:
    return ganstrata.load_generator("fake_styled", device="cpu")


@pytest.fixture
def readings(fakes) -> dict[str, ganstrata.Scorer]:
    return {"seen": ganstrata.load_scorer("fake_readings", device="cpu")}


@pytest.fixture
def samples(styled, readings) -> ganstrata.Samples:
    return ganstrata.probe(styled, readings, samples=640, batch=32)


def planted(concept: str) -> np.ndarray:
    """The direction of the first channel of the concept's layer, in s."""
    direction = np.zeros(16, np.float32)
    direction[2 * LAYERS[concept]] = 1.0
    return direction


@pytest.mark.parametrize("name", SUPERVISED)
def test_every_learner_finds_the_planted_channels(name: str, styled, samples) -> None:
    plugin, options = LEARNERS[name]
    learner = ganstrata.load_learner(plugin, device="cpu", positives=160, negatives=160, **options)
    concepts = [f"seen/{concept}" for concept in LAYERS]
    learnt = ganstrata.learn(styled, samples, learner, space="s", concepts=concepts, resamples=0)
    assert {(b.space, b.generator, b.normal.shape) for b in learnt} == {("s", styled.fingerprint, (16,))}
    styles = styles_of_samples(styled, samples.w, None, None)
    for concept, boundary in zip(LAYERS, learnt, strict=True):
        assert boundary.normal @ planted(concept) > 0.8
        # n.s + b has the sign of the score: the middle score is that of the middle style
        distance, score = styles @ boundary.normal + boundary.offset, samples.of(f"seen/{concept}")
        assert ((distance > 0.0) == (score > np.median(score))).mean() > 0.75


def test_directions_found_in_w_are_no_single_channel(styled, samples) -> None:
    """The same learner in w finds a rotated direction, which moves the channels of all layers."""
    learner = ganstrata.load_learner("ridge", device="cpu", positives=160, negatives=160)
    (boundary,) = ganstrata.learn(styled, samples, learner, concepts="seen/red", resamples=0)
    assert boundary.space == "w"
    codes = torch.from_numpy(boundary.normal)[None].expand(1, -1)
    moved = np.concatenate([styled.style_weights(s).numpy() @ codes[0].numpy() for s in range(8)])
    assert np.linalg.norm(moved) == pytest.approx(1.0, abs=1e-5)
    assert moved[2 * LAYERS["red"]] > 0.9  # that is the channel, since each channel has one direction in w


def test_a_direction_in_s_of_ones_own_is_judged_by_the_styles_of_the_samples(
    styled, samples, readings, monkeypatch
) -> None:
    conditions = []
    original = styled.broadcast
    monkeypatch.setattr(
        type(styled),
        "broadcast",
        lambda self, w, condition=None: (conditions.append(condition), original(w))[1],
    )
    given = replace(samples, condition=np.arange(len(samples.w)))
    found = ganstrata.Boundary.unlabelled("mine/0", -planted("red"), styled, space="s")
    effects = ganstrata.rescore(
        styled, readings, found, probed=given, samples=8, null_directions=3, layers="all"
    )
    (boundary,) = effects.boundaries
    assert boundary.concept == "seen/red"
    np.testing.assert_array_equal(boundary.normal, planted("red"))
    # Truncation may depend on the condition of each sample.
    asked = [c for c in conditions if c is not None]
    np.testing.assert_array_equal(np.unique(np.concatenate(asked)), given.condition)


def test_effects_are_at_the_layer_of_the_channel_alone(styled, samples, readings) -> None:
    learner = ganstrata.load_learner("ridge", device="cpu", positives=160, negatives=160)
    concepts = [f"seen/{concept}" for concept in LAYERS]
    learnt = ganstrata.learn(styled, samples, learner, space="s", concepts=concepts, resamples=4)
    effects = ganstrata.rescore(
        styled, readings, learnt, probed=samples, layers=["all", "each"], samples=64, null_directions=12
    )
    spread = np.sqrt(styles_of_samples(styled, samples.w, None, None).var(axis=0, ddof=1).mean())
    assert effects.step == pytest.approx(2.0 * spread, rel=1e-5)
    assert set(effects.factor_names) == set(concepts)
    sets = list(effects.sets)
    for b, concept in enumerate(LAYERS):
        own = effects.mean[b, :, 0, effects.own[b]]
        here = sets.index(str(LAYERS[concept]))
        # gain 0.05 times the step along the channel, at its layer and at all layers
        assert own[here] == pytest.approx(0.05 * effects.step * learnt[b].normal @ planted(concept), rel=0.02)
        assert own[sets.index("all")] == pytest.approx(own[here], abs=0.01)
        others = [s for s in range(len(sets)) if s not in (here, sets.index("all"))]
        assert np.abs(own[others]).max() < 0.01
    assert effects.replicates.min() == 4


def test_a_wrong_channel_has_no_effect(styled, samples, readings) -> None:
    """The second channel of a layer turns a texture that no concept is about."""
    normal = np.zeros(16, np.float32)
    normal[2 * LAYERS["red"] + 1] = 1.0
    wrong = Boundary("seen/red", "colour", normal, np.float32(0.0), "s", styled.fingerprint)
    effects = ganstrata.rescore(
        styled, readings, wrong, probed=samples, layers=["all"], samples=64, null_directions=12
    )
    assert not effects.factors[0]
    assert abs(effects.mean[0, 0, 0, effects.own[0]]) < 0.01


def test_styles_are_those_of_truncated_and_mixed_codes(styled, readings) -> None:
    mixed = ganstrata.probe(styled, readings, samples=64, batch=32, mixing=1.0)
    styles = styles_of_samples(styled, mixed.w, mixed.codes, None)
    affine = styled.affine.numpy()  # (L, 2, D)
    expected = np.einsum("lcd,nld->nlc", affine, mixed.codes).reshape(64, 16) + 0.3
    np.testing.assert_allclose(styles, expected, atol=1e-5)
    plain = styles_of_samples(styled, mixed.w, None, None)
    halved = np.einsum("lcd,nd->nlc", affine, mixed.w) * styled.layer_scale[:, None] + 0.3
    np.testing.assert_allclose(plain, halved.reshape(64, 16), atol=1e-5)
    assert np.abs(styles - plain).max() > 1.0
    learner = ganstrata.load_learner("ridge", device="cpu", positives=16, negatives=16)
    (boundary,) = ganstrata.learn(styled, mixed, learner, space="s", concepts="seen/red", resamples=0)
    assert boundary.normal @ planted("red") > 0.9


def test_constant_channels_get_nothing() -> None:
    rng = np.random.default_rng(0)
    latents = rng.standard_normal((400, 6)).astype(np.float32)
    latents[:, 2] = 40.0
    concept = ganstrata.Concept("a/b", "colour")
    for name in SUPERVISED:
        plugin, options = LEARNERS[name]
        learner = ganstrata.load_learner(plugin, device="cpu", positives=100, negatives=100, **options)
        (boundary,) = learner.learn(latents, latents[:, [0]] * 0.1 + 0.5, [concept], seed=0)
        assert abs(boundary.normal[2]) < 1e-6, name
        assert boundary.normal[0] > 0.9, name


@pytest.mark.parametrize("plugin", ["ridge", "soft_conditional"])
def test_conditional_directions_leave_the_other_channel(plugin: str, styled, samples) -> None:
    learner = ganstrata.load_learner(plugin, device="cpu", positives=160, negatives=160)
    learnt = ganstrata.learn(
        styled,
        samples,
        learner,
        space="s",
        concepts=["seen/left", "seen/red"],
        conditions=[Condition(edit="seen/red", keep=["seen/left"])],
        resamples=0,
    )
    both = learnt.of("seen/red|seen/left")
    assert both.space == "s"
    other = learnt.of("seen/left")
    assert (other.slope is not None) == (plugin == "soft_conditional")
    assert abs(both.normal @ other.to_keep) < 1e-6


def test_boundaries_in_s_are_stored_and_read(styled, samples, tmp_path: Path) -> None:
    learner = ganstrata.load_learner("soft_conditional", device="cpu", positives=160, negatives=160)
    learnt = ganstrata.learn(styled, samples, learner, space="s", concepts="seen/red", resamples=0)
    save_boundaries(learnt, tmp_path)
    ((read,), _) = load_boundaries(tmp_path)
    assert (read.space, read.name) == ("s", "seen/red")
    np.testing.assert_array_equal(read.normal, learnt[0].normal)
    np.testing.assert_array_equal(read.to_keep, learnt[0].to_keep)
    assert read.offset == learnt[0].offset


def test_spaces_are_not_mixed(styled, samples, readings) -> None:
    learner = ganstrata.load_learner("ridge", device="cpu", positives=160, negatives=160)
    codes = ganstrata.learn(styled, samples, learner, concepts="seen/red", resamples=0)
    styles = ganstrata.learn(styled, samples, learner, space="s", concepts="seen/left", resamples=0)
    with pytest.raises(
        MismatchError, match=r"rescore\(\) needs .* 'seen/left' lies in s \(style channels\), 'seen/red' in w"
    ):
        ganstrata.rescore(styled, readings, [*codes, *styles], samples=8, null_directions=3)


def test_random_directions_in_s_are_unit_and_cover_all_channels(styled) -> None:
    directions = random_directions(styled, 400, 3, layerwise=False, styles=True)
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1.0, rtol=1e-6)
    np.testing.assert_allclose((directions**2).mean(axis=0), 1 / 16, rtol=0.3)


def test_spaces_and_learners_that_do_not_fit_are_refused(styled, samples, fakes) -> None:
    ridge = ganstrata.load_learner("ridge", device="cpu", positives=160, negatives=160)
    with pytest.raises(UserError, match=r"space='wplus': boundaries are learnt in 'w', .* or in 's'"):
        ganstrata.learn(styled, samples, ridge, space="wplus")
    by_layer = ganstrata.load_learner("ridge", device="cpu", per_layer=True)
    with pytest.raises(UserError, match="learns a boundary per layer from codes"):
        ganstrata.learn(styled, samples, by_layer, space="s")
    unlabelled = ganstrata.load_learner("pca", device="cpu", directions=2)
    with pytest.raises(UserError, match="finds directions without labels in the space of codes"):
        ganstrata.learn(styled, samples, unlabelled, space="s")
    plain = ganstrata.load_generator("fake_layers", device="cpu")
    with pytest.raises(UserError, match="has no style channels"):
        ganstrata.learn(plain, samples, ridge, space="s")


class Restless(ganstrata.BoundaryLearner):
    """Return a direction in s whatever it is given."""

    def learn(
        self, latents: Any, scores: Any, concepts: Any, *, generator: Any = None, seed: int = 0
    ) -> Boundaries:
        """One channel."""
        return Boundaries(
            Boundary(c.name, c.level, planted("red"), np.float32(0.0), "s", generator.fingerprint)
            for c in concepts
        )


def test_a_learner_of_codes_may_not_return_directions_in_s(styled, samples) -> None:
    learner = Restless(ganstrata.PluginConfig(), torch.device("cpu"))
    with pytest.raises(PluginBroken, match=r"lies in s, .* learnt from codes; set learning.space: s"):
        ganstrata.learn(styled, samples, learner, concepts="seen/red", resamples=0)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"generator": {"use": "fake_layers"}},
            "space: the generator 'fake_layers' has no style channels",
        ),
        (
            {
                "boundary": {"use": "ridge", "with": {"positives": 50, "negatives": 50, "per_layer": True}},
                "synthesis": {"samples": 640, "mixing": 0.5},
            },
            "space: 'ridge' learns a boundary per layer from codes",
        ),
    ],
)
def test_a_config_that_cannot_learn_in_s_is_refused(changes, words, fakes, config) -> None:
    config |= {"generator": {"use": "fake_styled"}, "learning": {"space": "s"}} | changes
    with pytest.raises(ConfigError, match=f"one fault.*\n  learning -> {words}"):
        prepare(validate(config, "test"))


def test_keys_of_what_is_learnt_contain_the_space(fakes, config) -> None:
    config["generator"] = {"use": "fake_styled"}
    in_w = facts_of(prepare(validate(config, "test"))).keys
    in_s = facts_of(prepare(validate(config | {"learning": {"space": "s"}}, "test"))).keys
    assert (in_w.latents, in_w.scores) == (in_s.latents, in_s.scores)
    changed = {stage for stage in in_w.stages if in_w.stages[stage] != in_s.stages[stage]}
    assert changed == {"learn", "rescore", "edit", "report"}
