"""Model cards: they say what was measured, and refuse numbers and logs of other weights."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from ganstrata.core.checkpoints import locate, read_checkpoint
from ganstrata.plugins.scorers.scenes import SceneNetwork
from PIL import Image

from recipes.rooms import measure
from recipes.rooms.cards import __main__ as cards
from recipes.rooms.cards.facts import seed_of
from recipes.rooms.cards.text import duration
from recipes.rooms.export import write


@pytest.fixture(scope="module")
def measured(tmp_path_factory, renders, run):
    """The generator's weights as the recipe exports them, and the file with the quality `measure` found."""
    folder = tmp_path_factory.mktemp("measured")
    generator, quality = folder / "rooms.generator.safetensors", folder / "quality.json"
    tensors = read_checkpoint(locate("bundled:rooms", "generator")).tensors
    write(tensors, {"architecture": "stylegan2", "images_seen": 5432}, generator)
    words = ("--checkpoint", generator, "--held-out", renders, "--samples", 60, "--out", quality)
    run(measure, *words)
    return generator, quality


@pytest.fixture
def made(tmp_path, renders, measured):
    """Weights, measured numbers and logs as the recipe leaves them; the words for `cards`."""
    weights, training, scorers = (tmp_path / name for name in ("weights", "generator", "scorers"))
    for folder in (weights, training, scorers):
        folder.mkdir()
    for part in ("scenes", "surfaces"):
        source = Path(locate("bundled:rooms", part))
        (weights / source.name).write_bytes(source.read_bytes())
    quality = tmp_path / "quality.json"
    for source, copy in zip(measured, (weights / "rooms.generator.safetensors", quality), strict=True):
        copy.write_bytes(source.read_bytes())
    # Training went on after the export.
    (training / "progress.csv").write_text(
        "16,2000,200,0.8,1.8,100\n32,3000,100,0.8,1.8,4000\n"
        "64,5432,50,0.7,1.5,7260\n64,9999,50,0.7,1.5,9999\n"
    )
    common = {"seed": 4, "pictures_seen": 7777, "seconds": 300, "pictures": 60}
    scenes = {
        "accuracy": 0.987,
        "accuracy_per_category": {"bedroom": 0.91},
        "auc": {"wood": 0.951},
        "correlation": {"wood": 0.842},
    }
    (scorers / "scenes.json").write_text(json.dumps(common | scenes))
    layout = {
        "layout_error_pixels": {"mean": 0.53, "median": 0.06, "p95": 0.39},
        "layout_defined": {"truth": 0.87, "agreement": 0.9944},
    }
    surfaces = {
        "pixel_accuracy": 0.9801,
        "mean_iou": 0.9334,
        "iou": {"bed": 0.974, "clutter": 0.779},
    } | layout
    (scorers / "surfaces.json").write_text(json.dumps(common | surfaces))
    words = ["--weights", weights, "--quality", quality, "--training", training, "--scorers", scorers]
    words += ["--machine", "an abacus", "--data", renders, "--held-out", renders, "--seed", 9]
    return weights, quality, words


def test_cards_say_what_was_measured(made, run, rooms):
    weights, quality, words = made
    measured = json.loads(quality.read_text())
    sha256 = read_checkpoint(weights / "rooms.generator.safetensors").sha256
    assert measured["about"]["sha256"] == sha256
    # Seen from sixty pictures some target is missed; make sure of one, with a number of its own.
    measured["targets"][0] |= {"value": 0.7654, "met": False, "note": "hue/ultraviolet"}
    quality.write_text(json.dumps(measured))
    run(cards, *words)
    card = (weights / "rooms.generator.md").read_text()
    accuracy = measured["apart"]["generated_const_noise"]["accuracy"]
    assert f"one noise (`noise: const`) | {accuracy:.3f} |" in card
    parameters = sum(p.numel() for p in rooms.network.parameters())
    for fact in (
        f"{parameters:,}",
        sha256,
        "an abacus",
        "5,432",
        "2 h 01 min",
        "32 px up to 3,000 (1 h 07 min)",
        "130 rooms",
        "seed 7",
        "MIT",
    ):
        assert fact in card
    assert re.search(r"\*\*Missed:\*\* .*0\.765 \(hue/ultraviolet\)", card)
    assert "9,999" not in card
    assert "Naming by eye has not been done" in card
    assert (weights / "rooms.generator.png").stat().st_size < 600 * 1024
    with Image.open(weights / "rooms.generator.png") as grid:
        assert grid.size == (512, 512)

    scenes = (weights / "rooms.scenes.md").read_text()
    for fact in (
        f"{sum(p.numel() for p in SceneNetwork(3, 6).parameters()):,}",
        "**0.9870**",
        "bedroom 0.9100",
        "| wood | 0.9510 | 0.842 |",
        "7,777",
        "5 min",
    ):
        assert fact in scenes
    surfaces = (weights / "rooms.surfaces.md").read_text()
    assert surfaces.index("clutter | 0.779") < surfaces.index("bed | 0.974")
    assert "| mean IoU | 0.9334 |" in surfaces


def test_cards_take_in_the_names_given_by_eye(made, tmp_path, run):
    weights, _, words = made
    sha256 = read_checkpoint(weights / "rooms.generator.safetensors").sha256
    outcome = {"pictures": 48, "right": 0.75, "target": 0.8, "met": False, "sha256": sha256}
    named = tmp_path / "outcome.json"
    named.write_text(json.dumps(outcome))
    run(cards, *words, "--named", named)
    card = (weights / "rooms.generator.md").read_text()
    assert "| 48 samples named by eye as by the network | >= 0.8 | 0.750 | **missed** |" in card
    named.write_text(json.dumps({**outcome, "sha256": "0" * 64}))
    with pytest.raises(SystemExit):
        run(cards, *words, "--named", named)


def test_a_quality_measured_on_other_weights_is_refused(made, run, capsys):
    weights, quality, words = made
    measured = json.loads(quality.read_text())
    quality.write_text(json.dumps({**measured, "about": {**measured["about"], "sha256": "0" * 64}}))
    with pytest.raises(SystemExit):
        run(cards, *words)
    assert "measured on other weights" in capsys.readouterr().err
    assert not (weights / "rooms.generator.md").exists()


@pytest.mark.full
def test_a_training_log_without_the_exported_step_is_refused(made, run, capsys):
    _, _, words = made
    words[words.index("--training") + 1].joinpath("progress.csv").write_text("16,2000,200,0.8,1.8,100\n")
    with pytest.raises(SystemExit):
        run(cards, *words)
    assert "does not tell of the 5432 images" in capsys.readouterr().err


def test_a_folder_of_weights_above_12_mib_is_refused(tmp_path):
    (tmp_path / "a.safetensors").write_bytes(bytes(12 * 2**20))
    assert cards.check_size(tmp_path) == 12 * 2**20
    (tmp_path / "b.md").write_text("x")
    with pytest.raises(ValueError, match="more than 12"):
        cards.check_size(tmp_path)


def test_the_seed_of_a_set_is_identified_by_rendering_it_again(renders, tmp_path):
    assert seed_of(renders) == 7
    np.save(tmp_path / "images.npy", np.zeros((1, 16, 16, 3), np.uint8))
    with pytest.raises(ValueError, match="other code"):
        seed_of(tmp_path)


def test_durations_are_in_hours_and_minutes():
    assert [duration(seconds) for seconds in (29, 520, 3599, 11181)] == [
        "0 min",
        "9 min",
        "1 h 00 min",
        "3 h 06 min",
    ]
