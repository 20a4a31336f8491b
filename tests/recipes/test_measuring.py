"""From weights to measured numbers, a list named by eye and model cards, on a few pictures."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from ganstrata.core.checkpoints import locate, read_checkpoint
from ganstrata.plugins.scorers.scenes import SceneNetwork
from PIL import Image

from recipes.rooms import cards, measure, naming
from recipes.rooms.apart import tell_apart
from recipes.rooms.export import write
from recipes.rooms.factors import CATEGORIES


@pytest.fixture(scope="module")
def scorers():
    return measure.load_scorers()


@pytest.fixture(scope="module")
def truth(renders):
    return np.load(renders / "factors.npz")["category"].astype(int)


def run(module, *words, monkeypatch):
    monkeypatch.setattr(sys, "argv", [module.__name__, *(str(word) for word in words)])
    module.main()


def tiny(scored_a, scored_b, scored_c):
    return measure.measure(scored_a, scored_b, scored_c, passes=1, subset=20)


def test_sets_of_other_colours_are_told_apart_and_equal_ones_are_not():
    rng = np.random.default_rng(0)
    grey = rng.integers(80, 176, (480, 16, 16, 3), dtype=np.uint8)
    reddish = grey[:240] + np.uint8([24, 0, 0])
    found = tell_apart(reddish, grey[240:], passes=4, batch=16)
    assert found.accuracy > 0.95
    assert found.held_out == 96
    assert 0.3 < tell_apart(grey[:240], grey[240:], passes=4, batch=16).accuracy < 0.7
    assert tell_apart(reddish, grey[240:], passes=1, batch=16) == tell_apart(
        reddish, grey[240:], passes=1, batch=16
    )


def test_generated_pictures_do_not_depend_on_the_batch(rooms):
    a, b = measure.generate(rooms, 7, seed=3, batch=7), measure.generate(rooms, 7, seed=3, batch=3)
    assert a.shape == (7, 64, 64, 3)
    assert np.abs(a.astype(int) - b).max() <= 1


def test_scores_stand_under_their_names(pictures, truth, scorers):
    scored = measure.score(pictures[:30], scorers, batch=8)
    categories, probability = scored.of("category")
    assert categories == CATEGORIES
    assert (probability.argmax(axis=1) == truth[:30]).mean() > 0.95
    classes, shares = scored.of("segmentation")
    assert shares.shape == (30, len(classes))
    assert shares.sum(axis=1) == pytest.approx(1.0)
    assert (scored.scores["layout/line_seen"] == ~np.isnan(scored.scores["layout/wall_line"])).all()
    assert scored.features.shape == (30, 256)


def test_renders_meet_the_bar_against_themselves(pictures, scorers):
    scored = measure.score(pictures[:80], scorers)
    result = tiny(scored, scored, scored)
    assert all(row["met"] for row in result["targets"])
    assert all(row["distance"] == 0.0 for row in result["factors"])
    assert result["neighbours"]["generated"] == {"precision": 1.0, "recall": 1.0}
    assert result["factors_beyond_target"] == 0
    assert "MISSED" not in measure.table(result)


def test_what_misses_the_bar_is_said(pictures, truth, scorers):
    bedrooms = measure.score(pictures[truth == 0][:30] // 2, scorers)
    rendered = measure.score(pictures[60:100], scorers)
    result = tiny(bedrooms, rendered, rendered)
    missed = {row["name"] for row in result["targets"] if not row["met"]}
    assert {
        "share of living_room",
        "share of dining_room",
        "KS distance, worst of hue",
        "KS distance, worst of category",
    } <= missed
    assert "share of bedroom" not in missed
    distances = [row["distance"] for row in result["factors"]]
    assert distances == sorted(distances, reverse=True)
    assert measure.table(result).count("MISSED") == len(missed)
    assert json.loads(json.dumps(result))["targets"] == result["targets"]


def test_a_sheet_holds_as_many_of_each_category():
    categories = np.repeat([0, 1, 2], [50, 20, 10])
    chosen = naming.choose(categories, 24, 0)
    assert np.bincount(categories[chosen]).tolist() == [8, 8, 8]
    assert len(set(chosen.tolist())) == 24
    assert (np.diff(categories[chosen]) < 0).any()  # not in order
    with pytest.raises(ValueError, match="fewer than 11 of 80 pictures are taken for dining_room"):
        naming.choose(categories, 33, 0)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("1,bedroom\n2,\n", "picture 2 is named ''"),
        ("1,bedroom\n2,kitchen\n", "named 'kitchen'"),
        ("1,bedroom\n1,bedroom\n", "named twice"),
        ("1,bedroom\n", "numbers 1 to 2"),
    ],
)
def test_a_list_that_is_not_filled_in_is_refused(tmp_path, rows, message):
    (tmp_path / "list.csv").write_text("number,name\n" + rows)
    with pytest.raises(ValueError, match=message):
        naming.read_list(tmp_path / "list.csv", 2)


def test_first_letters_will_do(tmp_path):
    (tmp_path / "list.csv").write_text("number,name\n2, L\n1,Bedroom\n3,d\n")
    assert naming.read_list(tmp_path / "list.csv", 3) == ["bedroom", "living_room", "dining_room"]


def test_the_comparison_counts_and_lists_differences():
    outcome = naming.compare(
        ["bedroom", "bedroom", "dining_room", "dining_room"],
        ["bedroom", "living_room", "dining_room", "dining_room"],
    )
    assert outcome["right"] == 0.75
    assert not outcome["met"]
    assert outcome["right_per_category"] == {"bedroom": 1.0, "living_room": 0.0, "dining_room": 1.0}
    assert outcome["differences"] == [{"number": 2, "by_eye": "bedroom", "by_network": "living_room"}]


def test_naming_by_eye_hides_the_labels_until_the_list_is_filled(tmp_path, monkeypatch):
    monkeypatch.setattr(naming, "COUNT", 6)
    words = ("--out", tmp_path, "--pool", 40)
    run(naming, "sheet", *words, monkeypatch=monkeypatch)
    assert {path.name for path in tmp_path.iterdir()} == {"grid.png", "list.csv", "sheet.json"}
    for name in ("list.csv", "sheet.json"):
        assert not any(category in (tmp_path / name).read_text() for category in CATEGORIES)
    with Image.open(tmp_path / "grid.png") as grid:
        width, height = grid.size
    assert width >= 6 * 3 * 64
    assert height >= 3 * 64
    with pytest.raises(SystemExit):  # not filled in yet
        run(naming, "compare", *words, monkeypatch=monkeypatch)
    (tmp_path / "list.csv").write_text("number,name\n" + "".join(f"{i},b\n" for i in range(1, 7)))
    run(naming, "compare", *words, monkeypatch=monkeypatch)
    outcome = json.loads((tmp_path / "outcome.json").read_text())
    assert outcome["right"] == pytest.approx(1 / 3)
    assert outcome["right_per_category"]["bedroom"] == 1.0
    # Other weights than those of the sheet are refused.
    about = json.loads((tmp_path / "sheet.json").read_text())
    (tmp_path / "sheet.json").write_text(json.dumps({**about, "sha256": "0" * 64}))
    with pytest.raises(ValueError, match="made from other weights"):
        naming.make_outcome("bundled:rooms", tmp_path)


@pytest.fixture
def made(tmp_path, renders, monkeypatch):
    """Weights, measured numbers and logs as the recipe leaves them; the words for `cards`."""
    weights, training, scorers = (tmp_path / name for name in ("weights", "generator", "scorers"))
    for folder in (weights, training, scorers):
        folder.mkdir()
    for part in ("scenes", "surfaces"):
        source = Path(locate("bundled:rooms", part))
        (weights / source.name).write_bytes(source.read_bytes())
    generator = weights / "rooms.generator.safetensors"
    write(
        read_checkpoint(locate("bundled:rooms", "generator")).tensors,
        {"architecture": "stylegan2", "images_seen": 5432},
        generator,
    )
    # Training went on after the export.
    (training / "progress.csv").write_text(
        "16,2000,200,0.8,1.8,100\n32,3000,100,0.8,1.8,4000\n64,5432,50,0.7,1.5,7260\n64,9999,50,0.7,1.5,9999\n"
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
    quality = tmp_path / "quality.json"
    run(
        measure,
        "--checkpoint",
        generator,
        "--held-out",
        renders,
        "--samples",
        60,
        "--out",
        quality,
        monkeypatch=monkeypatch,
    )
    words = [
        "--weights",
        weights,
        "--quality",
        quality,
        "--training",
        training,
        "--scorers",
        scorers,
        "--machine",
        "an abacus",
    ]
    return weights, quality, [*words, "--data", renders, "--held-out", renders, "--seed", 9]


def test_cards_say_what_was_measured(made, monkeypatch, rooms):
    weights, quality, words = made
    measured = json.loads(quality.read_text())
    sha256 = read_checkpoint(weights / "rooms.generator.safetensors").sha256
    assert measured["about"]["sha256"] == sha256
    # Seen from sixty pictures some target is missed; make sure of one, with a number of its own.
    measured["targets"][0] |= {"value": 0.7654, "met": False, "note": "hue/ultraviolet"}
    quality.write_text(json.dumps(measured))
    run(cards, *words, monkeypatch=monkeypatch)
    card = (weights / "rooms.generator.md").read_text()
    told = measured["apart"]["generated_const_noise"]["accuracy"]
    assert f"one noise (`noise: const`) | {told:.3f} |" in card
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


def test_cards_take_in_the_names_given_by_eye(made, tmp_path, monkeypatch):
    weights, _, words = made
    sha256 = read_checkpoint(weights / "rooms.generator.safetensors").sha256
    outcome = {"pictures": 48, "right": 0.75, "target": 0.8, "met": False, "sha256": sha256}
    named = tmp_path / "outcome.json"
    named.write_text(json.dumps(outcome))
    run(cards, *words, "--named", named, monkeypatch=monkeypatch)
    card = (weights / "rooms.generator.md").read_text()
    assert "| 48 samples named by eye as by the network | >= 0.8 | 0.750 | **missed** |" in card
    named.write_text(json.dumps({**outcome, "sha256": "0" * 64}))
    with pytest.raises(SystemExit):
        run(cards, *words, "--named", named, monkeypatch=monkeypatch)


def test_numbers_of_other_weights_are_refused(made, monkeypatch, capsys):
    weights, quality, words = made
    measured = json.loads(quality.read_text())
    quality.write_text(json.dumps({**measured, "about": {**measured["about"], "sha256": "0" * 64}}))
    with pytest.raises(SystemExit):
        run(cards, *words, monkeypatch=monkeypatch)
    assert "measured on other weights" in capsys.readouterr().err
    assert not (weights / "rooms.generator.md").exists()


def test_weights_that_the_log_does_not_know_are_refused(made, monkeypatch, capsys):
    _, _, words = made
    words[words.index("--training") + 1].joinpath("progress.csv").write_text("16,2000,200,0.8,1.8,100\n")
    with pytest.raises(SystemExit):
        run(cards, *words, monkeypatch=monkeypatch)
    assert "does not tell of the 5432 images" in capsys.readouterr().err


def test_weights_must_stay_small(tmp_path):
    (tmp_path / "a.safetensors").write_bytes(bytes(12 * 2**20))
    assert cards.check_size(tmp_path) == 12 * 2**20
    (tmp_path / "b.md").write_text("x")
    with pytest.raises(ValueError, match="more than 12"):
        cards.check_size(tmp_path)


def test_the_seed_of_a_set_is_found_by_rendering_it_again(renders, tmp_path):
    assert cards.seed_of(renders) == 7
    np.save(tmp_path / "images.npy", np.zeros((1, 16, 16, 3), np.uint8))
    with pytest.raises(ValueError, match="other code"):
        cards.seed_of(tmp_path)


def test_durations_are_in_hours_and_minutes():
    assert [cards.duration(seconds) for seconds in (29, 520, 3599, 11181)] == [
        "0 min",
        "9 min",
        "1 h 00 min",
        "3 h 06 min",
    ]


def test_too_few_renders_are_refused(renders, tmp_path, monkeypatch, capsys):
    with pytest.raises(SystemExit):
        run(
            measure,
            "--held-out",
            renders,
            "--samples",
            66,
            "--out",
            tmp_path / "q.json",
            monkeypatch=monkeypatch,
        )
    assert "130 pictures; 132 are needed" in capsys.readouterr().err
