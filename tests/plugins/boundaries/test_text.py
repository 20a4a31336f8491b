"""Sentences find the style channels that change pictures as they say, and the measuring is done once."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import ganstrata
import numpy as np
import planted_styles
import pytest
import torch
from ganstrata import Boundaries, CheckpointError, ConfigError, DataError, Rendering, UserError
from ganstrata.core.boundaries.targets import ways_of_choice
from ganstrata.core.storage import cache
from ganstrata.plugins.boundaries import embedded_changes, text
from ganstrata.plugins.boundaries.channels import Styles, channels_of
from ganstrata.plugins.boundaries.drawn import Drawing
from ganstrata.testing import check_plugin
from planted_styles import EFFECTS
from torch import Tensor

BED = {"name": "lit_bed", "target": "a lit bed", "neutral": "a room"}
RED = {"name": "red", "target": ["a red room", "a red room"], "neutral": "a room"}
AXES = {"a room": 0, "a lit bed": 1, "a red room": 2, "a lit wall": 3}


class Stub:
    """Embeds pictures by how lit bed and wall are and how red all is, and sentences by their axes."""

    calls = 0

    def __init__(self, config: Any, device: torch.device) -> None:
        self.loaded = type("Loaded", (), {"sha256": "a model", "settings": {}})()
        self.digest = "a model and sentences"

    def images(self, images: Tensor) -> Tensor:
        """(N, 5)."""
        Stub.calls += 1
        light = planted_styles.Light(planted_styles.Light.Config(), images.device)
        bed, red = light.score(Rendering(images)).unbind(dim=1)
        half = planted_styles.SIZE // 2
        wall = images[:, :, :half].mean(dim=(1, 2, 3)) - images[:, :, half:, :half].mean(dim=(1, 2, 3))
        table = torch.stack([torch.ones_like(bed), bed, red, wall, torch.zeros_like(bed)], dim=1)
        return torch.nn.functional.normalize(table, dim=1)

    def sentences(self, sentences: str | list[str], place: str) -> Tensor:
        """(5,)."""
        first = sentences if isinstance(sentences, str) else sentences[0]
        axis = torch.eye(5)[0] + (torch.eye(5)[AXES[first]] if AXES[first] else 0.0)
        return torch.nn.functional.normalize(axis, dim=0)


@pytest.fixture(autouse=True)
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "ganstrata" / "text"


@pytest.fixture
def painted(
    register: Callable[[str, str, type], None], monkeypatch: pytest.MonkeyPatch
) -> ganstrata.Generator:
    monkeypatch.setattr(text, "Embedder", Stub)
    Stub.calls = 0
    for name in ("Painted", "Plain"):
        register("generator", name.lower(), getattr(planted_styles, name))
    register("scorer", "light", planted_styles.Light)
    return ganstrata.load_generator("painted", device="cpu")


@pytest.fixture
def samples(painted: ganstrata.Generator) -> ganstrata.Samples:
    return ganstrata.probe(painted, {"seen": ganstrata.load_scorer("light", device="cpu")}, samples=300)


def found(
    painted: ganstrata.Generator, samples: ganstrata.Samples, *sentences: dict[str, Any], **options: Any
) -> Boundaries:
    options = {"model": "stub", "pictures": 4, "beta": 0.3, **options}
    learner = ganstrata.load_learner("text", device="cpu", sentences=list(sentences), **options)
    return ganstrata.learn(painted, samples, learner, space="s")


def test_each_sentence_picks_its_planted_channel(painted, samples) -> None:
    learnt = found(painted, samples, BED, RED)
    assert [(b.name, b.concept) for b in learnt] == [("text/lit_bed", "seen/bed"), ("text/red", "seen/red")]
    for boundary, channel in zip(learnt, ("second/0", "second/1"), strict=True):
        u = list(EFFECTS).index(channel)
        assert boundary.normal[u] > 0.9  # towards the sentence
        assert boundary.facts["strongest"] == channel
        assert boundary.facts["similarity"] > 0.6
        assert boundary.layers is not None
        assert 1 in boundary.layers
        assert not boundary.normal[6:].any()  # channels of ToRGB do not count
    assert learnt.relearnt is None


def test_a_direction_keeps_the_sense_of_its_sentence(painted) -> None:
    """The concept that correlates best falls along it; it gets one that rises, or none."""
    styles = Styles(np.random.default_rng(0).standard_normal((200, 9)).astype(np.float32))
    direction = ganstrata.Boundary.unlabelled("text/x", np.eye(9)[0], painted, space="s")
    falls = -styles.values[:, 0]
    rises = styles.values[:, 0] + 2.0 * styles.values[:, 1]
    concepts = [ganstrata.Concept(name, "attribute") for name in ("falls", "rises")]
    targeted = text.with_own_target(direction, styles, np.stack([falls, rises], axis=1), concepts)
    assert (targeted.concept, targeted.level, targeted.normal[0]) == ("rises", "attribute", 1.0)
    assert targeted.facts["target_correlation"] == pytest.approx(np.sqrt(0.2), abs=0.1)
    assert ways_of_choice([targeted]) > 1  # the target was chosen among two concepts
    assert not text.with_own_target(direction, styles, falls[:, None], concepts[:1]).concept


def test_channels_below_beta_are_left_out(painted, samples) -> None:
    few = found(painted, samples, BED, beta=0.5)[0].facts["channels"]
    many = found(painted, samples, BED, beta=0.0)[0].facts["channels"]
    assert few < many
    with pytest.raises(DataError, match=r"as 'lit_bed' says with beta: 0\.99; the largest similarity is 0\."):
        found(painted, samples, BED, beta=0.99)


def test_channels_that_change_nothing_have_no_direction(painted) -> None:
    channels = channels_of(painted, range(2), to_rgb=True)
    changes = embedded_changes.changes_of(Drawing(painted, 3, 0), channels, Stub(None, None).images, "m", 5)
    length = dict(zip(EFFECTS, np.linalg.norm(changes.directions, axis=1), strict=True))
    assert length["first/0"] == length["torgb/2"] == 0.0
    assert length["second/0"] == pytest.approx(1.0, abs=0.02)
    np.testing.assert_allclose(changes.sigma, planted_styles.SCALES, rtol=0.05)


def test_the_measuring_is_done_once(painted, samples, cached: Path) -> None:
    first = found(painted, samples, BED)
    calls = Stub.calls
    assert calls == 12  # six channels, up and down
    again = found(painted, samples, BED, RED, beta=0.2)
    assert Stub.calls == calls
    np.testing.assert_allclose(again[0].normal @ first[0].normal, 1.0, atol=0.1)
    assert [path.suffix for path in cached.iterdir()] == [".safetensors"]
    found(painted, samples, BED, pictures=5)
    assert Stub.calls == 2 * calls
    assert len(list(cached.iterdir())) == 2


def test_everything_that_the_changes_depend_on_is_in_their_key(
    painted, monkeypatch: pytest.MonkeyPatch
) -> None:
    channels = channels_of(painted, range(2), to_rgb=False)
    drawing = Drawing(painted, 4, 0)
    truncated, trained = (ganstrata.load_generator("painted", device="cpu") for _ in range(2))
    truncated.card = replace(truncated.card, truncation="0.7")
    trained.card = replace(trained.card, weights="other weights")
    keys = [
        embedded_changes.key_of(drawing, channels, "model"),
        embedded_changes.key_of(drawing, channels, "other model"),
        embedded_changes.key_of(drawing, channels[1:], "model"),
        embedded_changes.key_of(replace(drawing, seed=1), channels, "model"),
        embedded_changes.key_of(replace(drawing, pictures=5), channels, "model"),
        embedded_changes.key_of(replace(drawing, precision="bf16"), channels, "model"),
        embedded_changes.key_of(replace(drawing, generator=truncated), channels, "model"),
        embedded_changes.key_of(replace(drawing, generator=trained), channels, "model"),
    ]
    monkeypatch.setattr(embedded_changes, "VERSION", 0)
    keys.append(embedded_changes.key_of(drawing, channels, "model"))
    assert len(set(keys)) == len(keys)
    monkeypatch.undo()
    same = Drawing(ganstrata.load_generator("painted", device="cpu"), 4, 0)
    assert embedded_changes.key_of(same, channels, "model") == keys[0]


@pytest.mark.parametrize("damage", ["half", "empty", "another shape", "nan", "only a part"])
def test_a_file_that_is_not_whole_is_not_used(painted, samples, cached: Path, damage: str) -> None:
    expected = found(painted, samples, BED)[0].normal
    (path,) = cached.iterdir()
    calls, content = Stub.calls, path.read_bytes()
    if damage == "half":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "only a part":  # as a process leaves it that is killed while it writes
        path.rename(path.with_name(".ganstrata-0123abcd-0123456789abcdef.part"))
    else:
        shape = (6, 5) if damage == "nan" else (6, 4)
        arrays = {"directions": np.full(shape, np.nan, np.float32), "sigma": np.ones(6, np.float32)}
        cache.write_cached("text", path.stem, arrays)
    np.testing.assert_allclose(found(painted, samples, BED)[0].normal, expected, atol=1e-6)
    assert Stub.calls == 2 * calls
    assert path.read_bytes() == content


def test_without_a_folder_that_can_be_written_it_is_computed_every_time(
    painted, samples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    first = found(painted, samples, BED)[0].normal
    calls = Stub.calls
    np.testing.assert_array_equal(found(painted, samples, BED)[0].normal, first)
    assert Stub.calls > calls


def test_what_does_not_fit_is_refused(painted, samples, monkeypatch: pytest.MonkeyPatch) -> None:
    learner = ganstrata.load_learner("text", model="stub", sentences=[BED], device="cpu")
    with pytest.raises(UserError, match="has no style channels"):
        learner.check_generator(ganstrata.load_generator("plain", device="cpu"))
    with pytest.raises(DataError, match=r"no style channel counts with layers: 1 and .* up to 4 px"):
        found(painted, samples, BED, layers="1", up_to=4)
    for bad in (
        [],
        [{**BED, "target": " "}],
        [{**BED, "neutral": []}],
        [BED, BED],
        [{**BED, "name": "a/b"}],
    ):
        with pytest.raises(ConfigError, match="sentences"):
            ganstrata.load_learner("text", model="stub", sentences=bad)
    with pytest.raises(ConfigError, match="templates"):
        ganstrata.load_learner("text", model="stub", sentences=[BED], templates=["no place"])
    same = {"name": "same", "target": "a room", "neutral": "a room"}
    with pytest.raises(DataError, match="'same' has the same embedding for target and neutral"):
        ganstrata.load_learner("text", model="stub", sentences=[same])
    monkeypatch.undo()
    with pytest.raises(CheckpointError, match="there is no such folder"):
        ganstrata.load_learner("text", model="./nowhere", sentences=[BED], device="cpu")
    monkeypatch.setitem(__import__("sys").modules, "transformers", None)
    with pytest.raises(CheckpointError, match=r"pip install 'ganstrata\[transformers\]'"):
        ganstrata.load_learner("text", model="a/b", sentences=[BED], device="cpu")


def test_a_run_with_a_small_model_and_the_conformance_kit(fakes, config, tmp_path: Path) -> None:
    pytest.importorskip("transformers", reason="transformers is not installed")
    import hub_models

    sentences = [{"name": "night", "target": "a room at night", "neutral": "a room"}]
    options = {
        "model": str(hub_models.clip(tmp_path / "clip")),
        "sentences": sentences,
        "pictures": 2,
        "beta": 0.0,
    }
    outcomes = check_plugin("boundary", "text", options)
    assert [o.message for o in outcomes if o.verdict == "failed"] == []
    config |= {
        "generator": {"use": "fake_styled"},
        "learning": {"space": "s"},
        "boundary": {"use": "text", "with": options},
        "conditions": [],
    }
    config["synthesis"]["samples"] = 128
    config["rescoring"] |= {"layers": ["all"], "samples": 32, "bootstrap": 100}
    config["editing"], config["report"] = {"samples": 1, "steps": 2}, {"samples": 2}
    run = ganstrata.run(config, tmp_path / "run")
    assert run.boundaries.names == ("text/night",)
    assert run.boundaries[0].space == "s"
    assert run.boundaries[0].concept.startswith("seen/")
    assert "text/night" in (run.path / "report.html").read_text(encoding="utf-8")


def test_the_cache_is_where_the_system_has_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert cache.cache_folder() == tmp_path / "cache" / "ganstrata"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    for platform, place in (("linux", ".cache/ganstrata"), ("darwin", "Library/Caches/ganstrata")):
        monkeypatch.setattr(cache.sys, "platform", platform)
        assert cache.cache_folder() == tmp_path / place
    monkeypatch.setattr(cache.sys, "platform", "win32")
    monkeypatch.setitem(os.environ, "LOCALAPPDATA", str(tmp_path / "local"))
    assert cache.cache_folder() == tmp_path / "local" / "ganstrata"
