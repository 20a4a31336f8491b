"""What tables, files and the page of a leaderboard show."""

from __future__ import annotations

import csv
import json
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from board_learners import TRUTH
from ganstrata.core.config.reading import validate
from ganstrata.core.errors import RunError, UserError
from ganstrata.core.leaderboard.estimates import estimate
from ganstrata.core.leaderboard.folder import leaderboard_into
from ganstrata.core.leaderboard.request import BoardRequest
from ganstrata.core.leaderboard.tables import (
    ALONE,
    REASON,
    REASON_ALONE,
    UNDEFINED,
    differences_view,
    in_a_line,
)


@pytest.mark.parametrize("names", [(TRUTH, "doubtful"), ("doubtful", TRUTH)])
def test_a_leak_without_an_effect_to_divide_by_is_undefined(learners, tmp_path, names):
    data = learners.config() | {"concepts": {"include": ["a/*"]}}
    data["rescoring"]["bootstrap"] = 100
    board = leaderboard_into(validate(data, "test"), tmp_path / "out", BoardRequest(names, fresh=50))
    truth, none = names.index(TRUTH), names.index("doubtful")
    target, leak = board.estimates["target"], board.estimates["leak"]
    assert target.low[none] < 0.0 < target.value[none] < target.high[none]
    assert np.isfinite([part[truth] for part in leak[:3]]).all()
    assert np.isnan([part[none] for part in leak[:3]]).all()
    apart = leak.against(board.baseline)
    assert np.isnan([part[1] for part in apart[:3]]).all()
    assert [board.rows[e].label for e in board.front] == [TRUTH]
    row = differences_view(board).rows[0]
    assert (row[3].value, row[3].note, row[3].strong) == ("–", "", False)
    assert f"sd, leak – ({REASON})" in in_a_line(board, none)
    assert f"[{target.low[none]:.2f}, {target.high[none]:.2f}] sd" in in_a_line(board, none)
    assert REASON not in in_a_line(board, truth)
    out = tmp_path / "out"
    for name in ("leaderboard.html", "leaderboard.md"):
        assert (out / name).read_text().count(UNDEFINED) == 1
    assert "doubtful: effect" not in (out / "front.svg").read_text()
    with (out / "learners.csv").open(newline="") as file:
        rows = {(row["learner"], row["measure"]): row for row in csv.DictReader(file)}
    undefined = rows["doubtful", "leak"]
    random = rows[TRUTH, "leak"]["random"]  # undefined for everybody
    assert {undefined[key] for key in ("value", "low", "high", "difference", "difference_low")} == {random}


@pytest.mark.parametrize("ratio", [False, True])
def test_intervals_contain_their_value_whatever_the_tails(ratio):
    rng = np.random.default_rng(0)
    with_tail = np.concatenate([rng.normal(0.2, 0.05, (990, 1)), rng.normal(1e6, 1.0, (10, 1))])
    drawn = np.concatenate([with_tail, with_tail + rng.normal(0.0, 0.1, with_tail.shape)], axis=1)
    found = estimate(np.array([0.2, 0.1]), drawn, ratio=ratio)
    for one in (found, found.against(0)):
        assert (one.low <= one.value).all()
        assert (one.value <= one.high).all()
    if ratio:  # the tail is left out of the middle 95 %, and does not move it
        assert found.low[0] == pytest.approx(0.1, abs=0.03)
        assert found.high[0] == pytest.approx(0.3, abs=0.03)
        apart = found.against(0)
        assert apart.ratio
        assert apart.low[1] < 0.0 < apart.high[1]


def test_tables_files_and_page_show_the_same_numbers(learners, tmp_path):
    page, out = tmp_path / "page.md", tmp_path / "out"
    page.write_text("before\n<!-- measured: begin -->\nold\n<!-- measured: end -->\nafter\n")
    config = validate(
        learners.config(judges=[{}, {"noise": 0.2}]) | {"concepts": {"include": ["a/*"]}}, "test"
    )
    request = BoardRequest(
        ("planted_truth", "unlabelled", "elsewhere", "refusing"), fresh=50, judges=("a/one,b/one",)
    )
    board = leaderboard_into(config, out, request, page=page)
    text = page.read_text()
    assert text.startswith("before\n<!-- measured: begin -->\n\n### Leaderboard")
    assert text.endswith("<!-- measured: end -->\nafter\n")
    assert "old" not in text
    assert "| unlabelled (unsupervised, 4 sets of layers) |" in text
    assert "| random directions (at layer 3) |" in text
    assert "Left out: `refusing`: these samples will not do" in text
    for table in text.split("###")[1:]:
        lines = [line for line in table.splitlines() if line.startswith("|")]
        assert len({line.count("|") for line in lines}) == 1, table
    for name in ("leaderboard.svg", "front.svg"):
        assert ET.parse(out / name).getroot().tag.endswith("svg")
        assert (tmp_path / "page" / name).read_bytes() == (out / name).read_bytes()
    with (out / "concepts.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["learner"], row["concept"]) for row in rows[:4]] == [
        (board.rows[board.order[0]].label, concept.name) for concept in board.concepts
    ]
    with (out / "learners.csv").open(newline="") as file:
        by_measure = {(row["learner"], row["measure"]): row for row in csv.DictReader(file)}
    row = by_measure["planted_truth", "target"]
    assert float(row["value"]) == pytest.approx(board.estimates["target"].value[0], rel=1e-5)
    assert float(row["random"]) == pytest.approx(board.chance["target"][0].value, rel=1e-4)
    assert float(row["difference"]) == 0.0
    data = json.loads((out / "leaderboard.json").read_text())
    assert data["left_out"] == {"refusing": "these samples will not do"}
    assert data["front"] == [board.rows[e].label for e in board.front]
    assert data["settings"]["steps"] == [-2.0, -1.0, 1.0, 2.0]
    html = (out / "leaderboard.html").read_text()
    assert html.count("<table") == 7
    assert "these samples will not do" in html
    assert "https:" not in html
    with pytest.raises(UserError, match="lacks the lines"):
        leaderboard_into(config, tmp_path / "other", request, page=out / "leaderboard.md")
    assert not (tmp_path / "other").exists()
    assert (out / "judges.csv").exists()
    leaderboard_into(config, out, BoardRequest(("planted_truth",), fresh=50), page=page)
    assert not list(tmp_path.rglob("judges.csv"))  # which would be of the earlier call
    listed = set(json.loads((out / "leaderboard.json").read_text())["files"])
    assert listed == {file.name for file in out.iterdir() if file.suffix in (".csv", ".svg", ".html", ".md")}


def test_a_folder_of_something_else_is_left_alone(learners, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(RunError, match=r"no leaderboard\.json"):
        leaderboard_into(validate(learners.config(), "test"), tmp_path, BoardRequest(("ridge",), fresh=50))
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_with_one_concept_nothing_is_said_of_others(learners, tmp_path):
    data = learners.config() | {"concepts": {"include": ["a/one"]}}
    data["rescoring"]["bootstrap"] = 100
    out = tmp_path / "out"
    board = leaderboard_into(validate(data, "test"), out, BoardRequest((TRUTH,), (2.0,), fresh=50))
    assert board.estimates["target"].value[0] > 0.5
    for name in ("others", "leak", "precision"):
        assert np.isnan([part[0] for part in board.estimates[name][:3]]).all(), name
    assert board.front == []
    assert in_a_line(board, 0).endswith(f"leak – ({REASON_ALONE})")
    for name in ("leaderboard.html", "leaderboard.md"):
        text = (out / name).read_text()
        assert ALONE in text
        assert UNDEFINED not in text
        assert "No learner has an effect" not in text
