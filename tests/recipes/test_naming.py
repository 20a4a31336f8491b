"""Naming rooms by eye: the sheet, the list that is filled in, and the comparison with the network."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from recipes.rooms import naming
from recipes.rooms.factors import CATEGORIES


def test_a_sheet_holds_equally_many_of_each_category():
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
def test_a_list_with_missing_or_repeated_names_is_refused(tmp_path, rows, message):
    (tmp_path / "list.csv").write_text("number,name\n" + rows)
    with pytest.raises(ValueError, match=message):
        naming.read_list(tmp_path / "list.csv", 2)


def test_a_category_may_be_named_by_its_first_letter(tmp_path):
    (tmp_path / "list.csv").write_text("number,name\n2, L\n1,Bedroom\n3,d\n")
    assert naming.read_list(tmp_path / "list.csv", 3) == ["bedroom", "living_room", "dining_room"]


def test_a_comparison_counts_agreement_and_lists_differences():
    outcome = naming.compare(
        ["bedroom", "bedroom", "dining_room", "dining_room"],
        ["bedroom", "living_room", "dining_room", "dining_room"],
    )
    assert outcome["right"] == 0.75
    assert not outcome["met"]
    assert outcome["right_per_category"] == {"bedroom": 1.0, "living_room": 0.0, "dining_room": 1.0}
    assert outcome["differences"] == [{"number": 2, "by_eye": "bedroom", "by_network": "living_room"}]


def test_naming_by_eye_hides_the_labels_until_the_list_is_filled(tmp_path, run, monkeypatch):
    monkeypatch.setattr(naming, "COUNT", 6)
    words = ("--out", tmp_path, "--pool", 40)
    run(naming, "sheet", *words)
    assert {path.name for path in tmp_path.iterdir()} == {"grid.png", "list.csv", "sheet.json"}
    for name in ("list.csv", "sheet.json"):
        assert not any(category in (tmp_path / name).read_text() for category in CATEGORIES)
    with Image.open(tmp_path / "grid.png") as grid:
        width, height = grid.size
    assert width >= 6 * 3 * 64
    assert height >= 3 * 64
    with pytest.raises(SystemExit):  # not filled in yet
        run(naming, "compare", *words)
    (tmp_path / "list.csv").write_text("number,name\n" + "".join(f"{i},b\n" for i in range(1, 7)))
    run(naming, "compare", *words)
    outcome = json.loads((tmp_path / "outcome.json").read_text())
    assert outcome["right"] == pytest.approx(1 / 3)
    assert outcome["right_per_category"]["bedroom"] == 1.0
    # Other weights than those of the sheet are refused.
    about = json.loads((tmp_path / "sheet.json").read_text())
    (tmp_path / "sheet.json").write_text(json.dumps({**about, "sha256": "0" * 64}))
    with pytest.raises(ValueError, match="made from other weights"):
        naming.make_outcome("bundled:rooms", tmp_path)
