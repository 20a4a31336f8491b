"""`ganstrata leaderboard`, and the same from Python."""

from __future__ import annotations

import json

import ganstrata
import numpy as np
import pytest
from click.testing import CliRunner
from ganstrata.cli.main import main
from ganstrata.core.errors import UserError
from ganstrata.core.leaderboard import of_projections


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(of_projections, "FITS", 10)


@pytest.fixture
def call(planted, written):
    """call(...) compares learners of planted factors."""
    config = written(planted.config())

    def compare(*arguments):
        return CliRunner().invoke(main, ["leaderboard", str(config), *map(str, arguments)])

    return compare


def test_learners_come_after_the_option_or_alone(call, tmp_path):
    small = ("--samples", 100, "--verify", 16, "--fresh", 40, "--null", 4, "--steps", "-1, 1.5", "--seed", 2)
    out = ("--out", tmp_path / "out")
    done = call("--learners", "ridge", "planted_truth:{idle: 60}", "planted_truth", *out, *small, "--quiet")
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert {line.partition(":")[0] for line in lines[:2]} == {"ridge", "planted_truth"}
    assert lines[2].startswith("planted_truth, idle: 60: effect")
    assert lines[-1] == f"Page: {tmp_path / 'out' / 'leaderboard.html'}"
    data = json.loads((tmp_path / "out/leaderboard.json").read_text())
    assert data["baseline"] == "ridge"
    assert data["settings"] == {
        "samples": 100,
        "fresh": 40,
        "verify": 16,
        "steps": [-1.0, 1.5],
        "null": 4,
        "resamples": 200,
        "mixing": 0.0,
        "space": "w",
        "seed": 2,
    }
    again = call("ridge", *out, *small, "--baseline", "ridge")
    assert again.exit_code == 0
    assert "ridge: read from an earlier call" in again.stderr
    assert json.loads((tmp_path / "out/leaderboard.json").read_text())["supervised"] == {"ridge": True}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--learners", "ridge:[1"), "name:{option: value}"),
        ((), "no learner is given"),
        (("nobody",), "No boundary learner named 'nobody'"),
        (("ridge", "linear_svmm"), "Did you mean 'linear_svm'"),
        (("ridge", "sefa:{direction: 5}"), "Did you mean 'directions'"),
        (("ridge", "--steps", "2,1"), "such as -2,-1,1,2"),
        (("ridge", "--steps", "1,b"), "not a list of numbers"),
        (("ridge", "--judges", "a/one"), "two or more"),
        (("ridge", "--set", "synthesis.smaples=3"), "synthesis -> smaples"),
        (("ridge", "--page", "nowhere.md"), "nowhere.md"),
    ],
)
def test_mistakes_are_told_and_leave_nothing(call, tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    done = call(*arguments, "--out", "out", "--samples", 50, "--fresh", 20, "--verify", 8, "--null", 3)
    assert done.exit_code == 2
    assert said in done.stderr
    assert "Traceback" not in done.output
    assert not (tmp_path / "out/leaderboard.html").exists()
    if "Did you mean" in done.stderr:
        assert not (tmp_path / "out").exists()


def test_python_gives_the_board_with_or_without_a_folder(planted, tmp_path):
    some = {"samples": 60, "verify": 8, "fresh": 20, "null": 3, "steps": (1.0,)}
    board = ganstrata.leaderboard(planted.config(), ["planted_truth", "ridge"], **some)
    assert repr(board) in (
        "Board(2 learners: planted_truth, ridge)",
        "Board(2 learners: ridge, planted_truth)",
    )
    with pytest.raises(UserError, match="No boundary learner named 'nobody'"):
        ganstrata.leaderboard(planted.config(), ["planted_truth", "nobody"], **some)
    stored = ganstrata.leaderboard(planted.config(), ["planted_truth", "ridge"], out=tmp_path / "out", **some)
    assert np.array_equal(stored.estimates["target"].value, board.estimates["target"].value)
    assert (tmp_path / "out/leaderboard.html").is_file()
    with pytest.raises(UserError, match="rising"):
        ganstrata.leaderboard(planted.config(), ["ridge"], steps=(2.0, 1.0))
