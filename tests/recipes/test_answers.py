"""The sheet of generated rooms with what the scorers say of them."""

from __future__ import annotations

import csv

import pytest
from PIL import Image

from recipes.rooms import answers
from recipes.rooms.factors import LABELS


def test_the_sheet_shows_each_picture_with_its_scores(tmp_path, run):
    run(answers, "--out", tmp_path, "--count", 9)
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
