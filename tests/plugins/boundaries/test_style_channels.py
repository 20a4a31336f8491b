"""The learner of single style channels finds the channels that were planted, and no others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import ganstrata
import numpy as np
import planted_styles
import pytest
import torch
from ganstrata import Boundaries, ConfigError, DataError, LayerError, UserError
from ganstrata.core.plugins.base import PluginConfig
from ganstrata.core.probing.styles import styles_of_samples
from ganstrata.plugins.boundaries.channels import channels_of
from ganstrata.plugins.boundaries.localised import Shares, acted_on, localised_channels
from ganstrata.plugins.boundaries.style_channels import exemplar_scores
from ganstrata.testing import conformance
from planted_styles import CLASSES, EFFECTS, MEAN, SCALES, WIDTH

test_exemplars = conformance("boundary", "style_channels")
CPU = torch.device("cpu")
CLASS_OF = {"first/1": "wall", "second/0": "bed", "second/2": "floor", "torgb/0": "floor"}


@pytest.fixture
def painted(register: Callable[[str, str, type], None]) -> ganstrata.Generator:
    for name in ("Painted", "Plain", "Detached"):
        register("generator", name.lower(), getattr(planted_styles, name))
    register("scorer", "quarters", planted_styles.Quarters)
    register("scorer", "light", planted_styles.Light)
    return ganstrata.load_generator("painted", device="cpu")


@pytest.fixture
def samples(painted: ganstrata.Generator) -> ganstrata.Samples:
    return ganstrata.probe(painted, {"seen": ganstrata.load_scorer("light", device="cpu")}, samples=600)


def found(painted: ganstrata.Generator, samples: ganstrata.Samples, **options: Any) -> Boundaries:
    learner = ganstrata.load_learner("style_channels", device="cpu", **options)
    return ganstrata.learn(painted, samples, learner, space="s")


def by_class(painted: ganstrata.Generator, samples: ganstrata.Samples, **options: Any) -> dict[str, str]:
    options = {"segmenter": {"use": "quarters"}, "pictures": 12, "resolution": 8, **options}
    return {
        b.direction.removeprefix("channel/"): b.facts["class"] for b in found(painted, samples, **options)
    }


def test_exemplars_rank_the_planted_channel_first(painted, samples) -> None:
    first = {b.concept: b for b in found(painted, samples, channels=1, exemplars=30)}
    assert {name: b.direction for name, b in first.items()} == {
        "seen/bed": "channel/second/0",
        "seen/red": "channel/second/1",
    }
    styles = styles_of_samples(painted, samples.w, None, None)
    for concept, boundary in first.items():
        u = list(EFFECTS).index(boundary.direction.removeprefix("channel/"))
        np.testing.assert_array_equal(boundary.normal, np.eye(WIDTH, dtype=np.float32)[u])
        rows = np.argsort(-samples.of(concept))[:30]
        z = (styles[rows, u] - styles[:, u].mean()) / styles[:, u].std(ddof=1)
        facts = boundary.facts
        assert facts["score"] == pytest.approx(z.mean() / z.std(ddof=1), rel=1e-3)
        assert (facts["rank"], facts["stratum"], facts["channel"]) == (1, "second", u % 3)
        assert facts["sigma"] == pytest.approx(SCALES[u], rel=0.1)
        spread = np.sqrt(styles.astype(np.float64).var(axis=0, ddof=1).mean())
        assert facts["step_in_sigma"] == pytest.approx(spread / styles[:, u].std(ddof=1), rel=1e-3)
        assert boundary.offset == pytest.approx(-MEAN, abs=0.5)
        assert boundary.layers == (1,)


def test_a_channel_that_lowers_a_concept_points_to_lower_values(painted, samples) -> None:
    (down,) = (
        b
        for b in found(painted, samples, channels=2, exemplars=30, to_rgb=True)
        if b.name == "channel/torgb/0"
    )
    assert down.concept == "seen/bed"  # which is compared with the floor that this channel lights
    assert down.normal.min() == -1.0
    assert down.facts["rank"] == 2


def test_scores_that_say_nothing_rank_no_channel_high() -> None:
    rng = np.random.default_rng(0)
    planted = rng.standard_normal((2000, 20))
    table = exemplar_scores(planted[np.argsort(-rng.standard_normal(2000))[:20]])
    assert np.abs(table).max() < 1.0  # 4.5 standard errors of 1 / sqrt(20)


def test_undefined_scores_and_few_samples_are_left_out(painted, samples) -> None:
    styles = styles_of_samples(painted, samples.w, None, None)
    learner = ganstrata.load_learner("style_channels", device="cpu", exemplars=30, channels=1)
    scores = samples.scores.copy()
    scores[np.argsort(-scores[:, 0])[:100], 0] = np.nan  # the highest are unknown
    scores[50:, 1] = np.nan  # fewer than twice the exemplars are known
    learnt = learner.learn(styles, scores, samples.concepts, generator=painted)
    assert [(b.concept, b.direction) for b in learnt] == [("seen/bed", "channel/second/0")]
    with pytest.raises(DataError, match="no concept has 60 samples with a score"):
        learner.learn(styles, scores[:, [1]], samples.concepts[1:], generator=painted)
    with pytest.raises(DataError, match="59 samples are too few for 30 exemplars"):
        learner.check(59)


def test_gradients_find_the_class_of_each_planted_channel(painted, samples) -> None:
    assert by_class(painted, samples, to_rgb=True) == CLASS_OF
    assert by_class(painted, samples) == {u: c for u, c in CLASS_OF.items() if "torgb" not in u}
    assert by_class(painted, samples, layers="0", resolution=4) == {"first/1": "wall"}
    learnt = found(
        painted, samples, segmenter={"use": "quarters"}, pictures=12, resolution=8, to_rgb=True, channels=1
    )
    assert sorted(b.facts["class"] for b in learnt) == sorted(CLASSES)
    assert {(b.facts["share"], b.facts["ahead"], b.facts["pictures"]) for b in learnt} == {(1.0, 1.0, 12)}


@pytest.mark.parametrize("area", [1, 9, 30, 55])
def test_gradients_by_chance_are_on_no_class(area: int) -> None:
    """With a discount of 2, a class wins as often as another by chance, whatever its area."""
    labels = torch.zeros(64, dtype=torch.long)
    labels[:area] = 1
    maps = torch.rand(400, 64, generator=torch.Generator().manual_seed(area))
    share = acted_on(maps, labels, 2, 2.0).bincount(minlength=2)[:2] / 400
    if area > 5:
        assert share.max() < 0.75
    same = torch.ones(3, 64) * (1.0 + 1e-7 * torch.rand(3, 64))
    assert acted_on(same, labels, 2, 2.0).tolist() == [-1] * 3
    assert acted_on(torch.zeros(1, 64), labels, 2, 1.0).tolist() == [-1]
    assert acted_on((labels == 1).float()[None], labels, 2, 2.0).tolist() == [1]


def test_both_thresholds_of_the_paper_and_rare_classes() -> None:
    share = np.array([[0.5, 0.0, 0.0], [0.51, 0.0, 0.0], [0.8, 0.55, 0.0], [0.8, 0.54, 0.0], [0.2, 0.0, 1.0]])
    chosen = localised_channels(Shares(share, np.array([10, 10, 9])))
    assert [(one.channel, one.label) for one in chosen] == [(3, 0), (1, 0)]


def test_labels_are_strata_and_numbers() -> None:
    class Twins(planted_styles.Painted):
        def __init__(self) -> None:
            super().__init__(PluginConfig(), CPU)
            names = ("same", "same", "odd,name")
            self.strata = tuple(
                ganstrata.Stratum(name, s, 4 << s, style_width=3) for s, name in enumerate(names)
            )

    labels = [c.label for c in channels_of(Twins(), range(3), to_rgb=False)]
    assert labels == [f"{s}/{u}" for s in range(3) for u in range(3)]
    small = channels_of(Twins(), range(3), to_rgb=False, largest=8)
    assert [(c.position, c.stratum) for c in small] == [(u, u // 3) for u in range(6)]


def test_the_number_of_directions_is_forecast(painted) -> None:
    assert ganstrata.load_learner("style_channels", channels=4).expected(2) == 8
    assert ganstrata.load_learner("style_channels", segmenter={"use": "quarters"}).expected(2) == 9


def test_what_does_not_fit_is_refused(painted, samples) -> None:
    plain = ganstrata.load_generator("plain", device="cpu")
    learner = ganstrata.load_learner("style_channels", device="cpu", exemplars=20)
    with pytest.raises(UserError, match="has no style channels"):
        learner.check_generator(plain)
    with pytest.raises(UserError, match=r"space='w': .*'style_channels'.* style channels alone; learn in s"):
        ganstrata.learn(painted, samples, learner)
    with pytest.raises(DataError, match=r"needs styles \(N, 9\), but was given latents of shape \(5, 4\)"):
        learner.learn(np.zeros((5, 4), np.float32), samples.scores[:5], samples.concepts, generator=painted)
    with pytest.raises(DataError, match="no style channel of these layers varies"):
        learner.learn(np.ones((90, 9), np.float32), samples.scores[:90], samples.concepts, generator=painted)
    with pytest.raises(LayerError):
        found(painted, samples, layers="7")
    with pytest.raises(ConfigError, match=r"segmenter.*labels no pixels"):
        ganstrata.load_learner("style_channels", segmenter={"use": "light"})
    with pytest.raises(ConfigError, match="segmenter"):
        ganstrata.load_learner("style_channels", segmenter={"use": "no such scorer"})
    detached = ganstrata.load_generator("detached", device="cpu")
    with pytest.raises(UserError, match="passes no gradients from its styles to its pictures"):
        found(detached, samples, segmenter={"use": "quarters"})
    one = ganstrata.load_learner(
        "style_channels", device="cpu", layers="0", segmenter={"use": "quarters"}, pictures=10, resolution=4
    )
    idle = np.zeros((4, 9), np.float32)
    idle[:, 2] = range(4)  # the only channel that varies lights everything
    with pytest.raises(DataError, match="none of 1 channel acts on one class"):
        one.learn(idle, np.zeros((4, 0), np.float32), [], generator=painted)


def run_config(config: dict[str, Any], **options: Any) -> dict[str, Any]:
    config |= {
        "generator": {"use": "fake_styled"},
        "learning": {"space": "s"},
        "boundary": {"use": "style_channels", "with": options},
        "conditions": [],
    }
    config["concepts"] = {"include": ["seen/left", "seen/red"]}
    config["synthesis"]["samples"] = 256
    config["rescoring"] |= {"layers": ["all"], "samples": 32, "bootstrap": 100}
    config["editing"], config["report"] = {"samples": 1, "steps": 2}, {"samples": 2}
    return config


def test_a_run_verifies_the_channels_of_exemplars(fakes, config, tmp_path: Path) -> None:
    run = ganstrata.run(run_config(config, channels=1, exemplars=40), tmp_path / "run")
    names = {b.concept: b.name for b in run.boundaries}
    assert names == {"seen/left": "channel/s1/0", "seen/red": "channel/s7/0"}
    # A layer has two channels, so a random direction at this layer is often nearly as good, and never better.
    effects = run.effects
    for i, j in enumerate(effects.own):
        null = effects.null_of(i)[:, 0, j]
        assert effects.low[i, 0, 0, j] > 0.0
        assert effects.mean[i, 0, 0, j] > (null[:, 1] / null[:, 0]).max()
    assert "channel/s7/0" in (run.path / "report.html").read_text(encoding="utf-8")


def test_a_run_targets_the_channels_of_classes(fakes, config, tmp_path: Path) -> None:
    options = {"segmenter": {"use": "fake_regions"}, "pictures": 24, "resolution": 8}
    run = ganstrata.run(run_config(config, **options), tmp_path / "run")
    assert all(b.facts["class"] in ("wall", "sofa", "bed", "lamp") for b in run.boundaries)
    assert {b.concept for b in run.boundaries} <= {"seen/left", "seen/red"}
    config["learning"] = {"space": "w"}
    with pytest.raises(ConfigError, match="learning -> space: 'style_channels' finds directions in style"):
        ganstrata.run(config, tmp_path / "other")
