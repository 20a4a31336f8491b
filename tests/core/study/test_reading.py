"""From votes to the figure: known preferences of raters are recovered."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from ganstrata.core.errors import UserError
from ganstrata.core.study.key import KEY, Key
from ganstrata.core.study.reading import FILES, read_study
from study_raters import CHOICES, CONCEPTS, ballot, make_key, put, softmax

LEANING = {"layout": "bottom", "category": "lower", "attribute": "upper", "colour": "top"}
STRENGTH = 2.0


def study(folder: Path, raters: int = 20, strips: int = 4) -> list[Path]:
    """Write a study whose raters lean to the group that LEANING gives each level; return the votes' paths."""
    key = make_key(strips)
    folder.mkdir()
    (folder / KEY).write_text(key.text)
    rng = np.random.default_rng(1)
    paths = []
    for r in range(raters):
        choices = []
        for question in key.questions:
            p = softmax(STRENGTH * np.array([float(c == LEANING[question.level]) for c in CHOICES]))
            choices.append(CHOICES[rng.choice(5, p=p)])
        paths.append(put(folder / f"{r}.json", ballot(key, choices, r)))
    return paths


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_known_preferences_are_in_the_figure(tmp_path: Path) -> None:
    paths = study(tmp_path / "study")
    result = read_study(tmp_path / "study", paths, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(FILES)
    truth = softmax(STRENGTH * np.array([1.0, 0.0, 0.0, 0.0, 0.0]))
    for row in rows(tmp_path / "out/votes.csv"):
        expected = truth[0] if LEANING[row["level"]] == row["group"] else truth[1]
        assert float(row["share"]) == pytest.approx(expected, abs=0.15)
        assert float(row["low"]) <= float(row["share"]) <= float(row["high"])
    for level, group in LEANING.items():
        assert any(sentence.startswith(f"{level}: most votes for {group}, ") for sentence in result.sentences)
    assert list(result.levels) == ["layout", "category", "attribute", "colour"]
    assert result.levels["category"].votes == 2 * 20 * 4
    svg = (tmp_path / "out/votes.svg").read_text()
    assert "Most votes for layout: bottom, category: lower, attribute: upper, colour: top." in svg
    assert "20 raters" in svg


def test_the_tables_agree_with_the_votes(tmp_path: Path) -> None:
    paths = study(tmp_path / "study", raters=5, strips=2)
    read_study(tmp_path / "study", paths, tmp_path / "out")
    ballots = rows(tmp_path / "out/ballots.csv")
    assert len(ballots) == 5 * 2 * len(CONCEPTS)
    for row in rows(tmp_path / "out/concepts.csv"):
        selected = [b for b in ballots if b["boundary"] == row["boundary"]]
        assert int(row["votes"]) == len(selected)
        assert float(row["share"]) == pytest.approx(
            np.mean([b["choice"] == row["group"] for b in selected]), abs=1e-5
        )
    agreement = rows(tmp_path / "out/agreement.csv")
    assert [(row["strips"], row["of"]) for row in agreement][:4] == [
        ("all", "rows"),
        ("all", "groups"),
        ("layout", "rows"),
        ("layout", "groups"),
    ]
    assert agreement[0]["count"] == "10"


def test_one_mind_on_rows_is_full_agreement_and_on_one_group_undefined(tmp_path: Path) -> None:
    key = make_key(2)
    (tmp_path / KEY).write_text(key.text)
    paths = [put(tmp_path / f"{r}.json", ballot(key, ["lower"] * len(key.questions), r)) for r in range(4)]
    result = read_study(tmp_path, paths, tmp_path / "out")
    assert result.agreement[0].value == pytest.approx(1.0)
    assert np.isnan(result.agreement[1].value)
    assert rows(tmp_path / "out/agreement.csv")[1]["kappa"] == ""
    assert json.loads((tmp_path / "out/study.json").read_text())["agreement"][1]["value"] is None


def test_few_raters_and_partial_votes(tmp_path: Path) -> None:
    key = make_key(1)
    (tmp_path / KEY).write_text(key.text)
    path = put(tmp_path / "a.json", ballot(key, ["bottom", "", "", "", ""], 1))
    result = read_study(tmp_path, [path], tmp_path / "out")
    assert "category: no votes" in result.sentences
    assert result.votes.remarks == (f"rater {1:016x}: 4 of 5 votes are missing",)
    assert (tmp_path / "out/votes.svg").is_file()
    assert rows(tmp_path / "out/votes.csv")[5]["share"] == ""


def test_nothing_is_written_where_something_is_wrong(tmp_path: Path) -> None:
    paths = study(tmp_path / "study", raters=2)
    paths[1].write_text("{")
    with pytest.raises(UserError, match=r"1\.json: it is damaged"):
        read_study(tmp_path / "study", paths, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    read_study(tmp_path / "study", paths[:1], tmp_path / "out")
    with pytest.raises(UserError, match=r"has votes\.svg, .* already"):
        read_study(tmp_path / "study", paths[:1], tmp_path / "out")


def test_a_key_with_a_level_that_does_not_exist_is_damaged(tmp_path: Path) -> None:
    text = make_key(1).text
    assert '"level": "layout"' in text
    (tmp_path / "key.json").write_text(text.replace('"level": "layout"', '"level": "mood"'), encoding="utf-8")
    with pytest.raises(
        UserError, match=r"key\.json is damaged.* has a level that is not one of layout, category"
    ):
        Key.read(tmp_path)
