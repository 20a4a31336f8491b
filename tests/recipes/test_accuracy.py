"""Statistics of probabilities against known answers; the scorers against the truth of a few rooms, twice the same."""

from __future__ import annotations

import csv
import sys

import numpy as np
import pytest
import torch
from ganstrata.core.plugins.contracts import Scorer
from ganstrata.core.plugins.records import Rendering
from ganstrata.plugins.scorers.hue import BINS
from PIL import Image
from scipy.stats import binomtest
from sklearn.metrics import roc_auc_score

from recipes.rooms import accuracy, answers, reliability
from recipes.rooms.factors import LABELS
from recipes.rooms.measure import load_scorers
from recipes.rooms.train_scorers import Rooms


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(scope="module")
def scorers():
    return load_scorers()


@pytest.mark.parametrize(("successes", "count"), [(0, 7), (7, 7), (3, 11)])
def test_intervals_of_shares_are_exact(successes, count):
    found, expected = (
        reliability.share(successes, count),
        binomtest(successes, count).proportion_ci(method="exact"),
    )
    assert found == pytest.approx((successes / count, expected.low, expected.high))


def test_the_interval_of_an_auc_is_as_wide_as_resamplings_spread(rng):
    present = rng.random(400) < 0.4
    score = np.round(rng.normal(size=400) + 1.2 * present, 1)  # with ties
    found = reliability.auc(present, score)
    assert found.value == roc_auc_score(present, score)
    draws = rng.integers(0, 400, (600, 400))
    low, high = np.percentile([roc_auc_score(present[draw], score[draw]) for draw in draws], (2.5, 97.5))
    assert found.low == pytest.approx(low, abs=0.012)
    assert found.high == pytest.approx(high, abs=0.012)


def test_a_curve_counts_each_case_once_and_holds_the_last_edge():
    predicted = np.array([0.0, 0.05, 0.5, 0.55, 1.0])
    points = reliability.curve(predicted, np.array([0, 0, 1, 0, 1], bool), np.linspace(0.0, 1.0, 11))
    assert [(p.count, p.observed.value) for p in points] == [(2, 0.0), (2, 0.5), (1, 1.0)]
    assert [p.mean for p in points] == pytest.approx([0.025, 0.525, 1.0])


def test_calibration_errors_of_known_sizes(rng):
    probability = rng.random(40_000)
    happened = (rng.random(40_000) < probability).astype(float)
    by_chance = reliability.chance_error(probability)
    assert reliability.calibration_error(probability, happened) == pytest.approx(by_chance, abs=0.003)
    assert by_chance < 0.01
    # Predictions that are 0.2 too low everywhere.
    low = 0.7 * probability
    assert reliability.calibration_error(low, low + 0.2) == pytest.approx(0.2)


def test_steps_fitted_to_margins_are_probabilities(rng):
    margin = rng.normal(size=20_000)
    happened = rng.random(20_000) < reliability.sigmoid(4.0 * margin)
    wanted = np.linspace(-2.0, 2.0, 41)
    found = reliability.isotonic(margin, happened, wanted)
    assert (np.diff(found) >= 0).all()
    assert np.abs(found - reliability.sigmoid(4.0 * wanted)).max() < 0.1
    assert reliability.isotonic(margin, happened, np.array([-99.0, 99.0])).tolist() == pytest.approx(
        [0.0, 1.0], abs=0.02
    )


def test_the_hue_scorer_agrees_with_colorsys(scorers, pictures):
    grey = np.full((1, 64, 64, 3), 120, np.uint8)
    shown = np.concatenate([pictures[:6], grey])
    rendering = Rendering(torch.from_numpy(shown).permute(0, 3, 1, 2).float() / 255.0)
    found = scorers["hue"].score(rendering).numpy()
    for ours, picture in zip(found, shown, strict=True):
        expected = accuracy.by_colorsys(picture)
        assert np.isnan(ours[:BINS]).all() == np.isnan(expected[:BINS]).all()
        np.testing.assert_allclose(ours[:BINS], expected[:BINS], atol=float(expected[-1]) + 1e-5)
        np.testing.assert_allclose(ours[BINS:], expected[BINS:-1], atol=1e-5)


class Perfect(Scorer):
    """Says of each room, in the order in which they come, what is true of it."""

    def __init__(self, rooms: Rooms, kind: str) -> None:
        self.rooms, self.kind, self.place = rooms, kind, 0

    def score(self, rendering: Rendering) -> torch.Tensor:
        chosen = np.arange(self.place, self.place + len(rendering.images))
        self.place = (self.place + len(chosen)) % len(self.rooms.images)
        if self.kind == "category":
            return torch.eye(3)[torch.from_numpy(self.rooms.category[chosen])]
        return self.rooms.attributes(chosen, self.rooms.maps(chosen)).logit(eps=1e-4)


def test_scorers_that_are_right_are_found_to_be(renders, scorers, monkeypatch):
    rooms = Rooms(renders)
    true = {name: Perfect(rooms, name) for name in ("category", "attribute")}
    # One condition, so that rooms come in their order.
    monkeypatch.setattr(accuracy, "CONDITIONS", {"rendered": "as rendered"})
    monkeypatch.setattr(accuracy, "conditions", lambda x: {"rendered": x})
    found = accuracy.read(rooms, {**scorers, **true}, seed=0)
    right, confusion = accuracy.category_tables(found)
    assert right.rows[0][1].startswith("100.00 [")
    assert [row[2 + i] for i, row in enumerate(confusion.rows)] == [
        f"{n}" for n in np.bincount(rooms.category)
    ]
    areas, calibrated = accuracy.attribute_tables(found)
    assert {row[2] for row in areas.rows} == {"1.0000 [1.0000, 1.0000]"}
    assert all(float(row[2]) < 1e-3 for row in calibrated.rows)  # as amounts
    # The wrong room for every question.
    wrong = found._replace(category=(found.category + 1) % 3, truth=1.0 - found.truth)
    assert accuracy.category_tables(wrong)[0].rows[0][1].startswith("0.00 [")
    assert all(float(row[2].split()[0]) < 0.2 for row in accuracy.attribute_tables(wrong)[0].rows)


def test_lines_and_masks_of_known_error(renders, scorers):
    found = accuracy.read(Rooms(renders), scorers, seed=0)
    weights = accuracy.resampled(len(found.line), 0)
    assert (weights.sum(1) == len(found.line)).all()
    moved = found._replace(line=found.true_line + 3.0 / 32.0, support=found.true_support)
    overall = accuracy.layout_tables(moved, weights)[0].rows[0]
    assert overall[2] == "3.00 [3.00, 3.00]"
    assert overall[-1].startswith("100.0 [")
    exact = found._replace(shared=found.real, labelled=found.real)
    summary, classes = accuracy.segmentation_tables(exact, weights)
    assert {row[1] for row in summary.rows} == {"1.0000 [1.0000, 1.0000]"}
    assert {row[0] for row in classes.rows} == set(LABELS)
    # Half of one class is called another.
    i, j = LABELS.index("bed"), LABELS.index("sofa")
    labelled, shared = found.real.copy(), found.real.copy()
    labelled[:, i], shared[:, i] = found.real[:, i] / 2, found.real[:, i] / 2
    labelled[:, j] += found.real[:, i] / 2
    rows = {
        row[0]: row
        for row in accuracy.segmentation_tables(found._replace(labelled=labelled, shared=shared), weights)[
            1
        ].rows
    }
    assert rows["bed"][2] == "0.500 [0.500, 0.500]"
    assert float(rows["sofa"][-1]) == pytest.approx(-float(rows["bed"][-1]), abs=1e-3)
    assert float(rows["bed"][-1]) < 0


def test_the_command_makes_the_same_tables_twice(tmp_path, monkeypatch):
    page = tmp_path / "page.md"
    page.write_text(f"# Title\n\n{accuracy.BEGIN}\nold\n{accuracy.END}\n\nwords\n")
    texts = []
    for folder in ("first", "second"):
        words = ["--out", tmp_path / folder, "--page", page, "--count", 60, "--seed", 5]
        monkeypatch.setattr(sys, "argv", ["accuracy", *map(str, words)])
        accuracy.main()
        texts.append(page.read_text())
    first, second = (sorted((tmp_path / folder).iterdir()) for folder in ("first", "second"))
    assert [path.name for path in first] == [path.name for path in second]
    assert all(a.read_bytes() == b.read_bytes() for a, b in zip(first, second, strict=True))
    assert texts[0] == texts[1]
    assert texts[0].startswith("# Title\n")
    assert texts[0].endswith("words\n")
    assert "old" not in texts[0]
    tables = [path for path in first if path.suffix == ".csv" and path.stem != "reliability"]
    assert len(tables) == texts[0].count("### ")
    with (tmp_path / "first/reliability.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert (
        sum(int(row["rooms"]) for row in rows if row["curve"] == "category" and row["pictures"] == "rendered")
        == 180
    )
    assert sum(int(row["rooms"]) for row in rows if row["curve"] == "attribute wood") == 30
    with pytest.raises(ValueError, match="lacks the lines"):
        accuracy.put(tmp_path / "first/reliability.csv", "text")


def test_the_sheet_of_answers(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["answers", "--out", str(tmp_path), "--count", "9"])
    answers.main()
    with Image.open(tmp_path / "generated.jpg") as sheet:
        assert sheet.size == (8 * 132, 2 * 75)
    with (tmp_path / "generated.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["number"] for row in rows] == [f"{i}" for i in range(9)]
    for row in rows:
        assert sum(
            float(value) for name, value in row.items() if name.startswith("category/")
        ) == pytest.approx(1.0, abs=0.002)
        assert (row["layout/wall_line"] == "") == (float(row["layout/support"]) < 0.15)
    assert set(answers.COLOURS) == set(LABELS)
