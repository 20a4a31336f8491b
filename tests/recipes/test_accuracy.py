"""The scorers against the truth of a few rooms, and tables that are the same twice."""

from __future__ import annotations

import csv

import numpy as np
import pytest
import torch
from ganstrata.core.plugins.records import Rendering
from ganstrata.core.plugins.scorer import Scorer
from ganstrata.plugins.scorers.hue import BINS

from recipes.rooms.accuracy import __main__ as accuracy
from recipes.rooms.accuracy.hue import by_colorsys
from recipes.rooms.accuracy.probabilities import attribute_tables, category_tables
from recipes.rooms.accuracy.readings import read
from recipes.rooms.accuracy.surfaces import layout_tables, segmentation_tables
from recipes.rooms.accuracy.tables import BEGIN, END, put, resampled
from recipes.rooms.factors import LABELS
from recipes.rooms.measure import load_scorers
from recipes.rooms.train_scorers import Rooms


@pytest.fixture(scope="module")
def scorers():
    return load_scorers()


def test_the_hue_scorer_agrees_with_colorsys(scorers, pictures):
    grey = np.full((1, 64, 64, 3), 120, np.uint8)
    shown = np.concatenate([pictures[:6], grey])
    rendering = Rendering(torch.from_numpy(shown).permute(0, 3, 1, 2).float() / 255.0)
    scores = scorers["hue"].score(rendering).numpy()
    for ours, picture in zip(scores, shown, strict=True):
        expected = by_colorsys(picture)
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


def test_scorers_that_know_the_truth_get_perfect_tables(renders, scorers):
    rooms = Rooms(renders)
    true = {name: Perfect(rooms, name) for name in ("category", "attribute")}
    # One condition, so that rooms come in their order.
    readings = read(rooms, {**scorers, **true}, seed=0, changes=lambda x: {"rendered": x})
    right, confusion = category_tables(readings)
    assert right.rows[0][1].startswith("100.00 [")
    assert [row[2 + i] for i, row in enumerate(confusion.rows)] == [
        f"{n}" for n in np.bincount(rooms.category)
    ]
    areas, calibrated = attribute_tables(readings)
    assert {row[2] for row in areas.rows} == {"1.0000 [1.0000, 1.0000]"}
    assert all(float(row[2]) < 1e-3 for row in calibrated.rows)  # as amounts
    # The wrong room for every question.
    wrong = readings._replace(category=(readings.category + 1) % 3, truth=1.0 - readings.truth)
    assert category_tables(wrong)[0].rows[0][1].startswith("0.00 [")
    assert all(float(row[2].split()[0]) < 0.2 for row in attribute_tables(wrong)[0].rows)


def test_lines_and_masks_of_known_error_are_measured_as_such(renders, scorers):
    readings = read(Rooms(renders), scorers, seed=0)
    weights = resampled(len(readings.line), 0)
    assert (weights.sum(1) == len(readings.line)).all()
    moved = readings._replace(line=readings.true_line + 3.0 / 32.0, support=readings.true_support)
    overall = layout_tables(moved, weights)[0].rows[0]
    assert overall[2] == "3.00 [3.00, 3.00]"
    assert overall[-1].startswith("100.0 [")
    exact = readings._replace(shared=readings.real, labelled=readings.real)
    summary, classes = segmentation_tables(exact, weights)
    assert {row[1] for row in summary.rows} == {"1.0000 [1.0000, 1.0000]"}
    assert {row[0] for row in classes.rows} == set(LABELS)
    # Half of one class is called another.
    i, j = LABELS.index("bed"), LABELS.index("sofa")
    labelled, shared = readings.real.copy(), readings.real.copy()
    labelled[:, i], shared[:, i] = readings.real[:, i] / 2, readings.real[:, i] / 2
    labelled[:, j] += readings.real[:, i] / 2
    rows = {
        row[0]: row
        for row in segmentation_tables(readings._replace(labelled=labelled, shared=shared), weights)[1].rows
    }
    assert rows["bed"][2] == "0.500 [0.500, 0.500]"
    assert float(rows["sofa"][-1]) == pytest.approx(-float(rows["bed"][-1]), abs=1e-3)
    assert float(rows["bed"][-1]) < 0


def test_the_command_makes_the_same_tables_twice(tmp_path, run):
    page = tmp_path / "page.md"
    page.write_text(f"# Title\n\n{BEGIN}\nold\n{END}\n\nwords\n")
    texts = []
    for folder in ("first", "second"):
        run(accuracy, "--out", tmp_path / folder, "--page", page, "--count", 60, "--seed", 5)
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
        put(tmp_path / "first/reliability.csv", "text")
