"""The study of intervals over seeds: on a generator whose boundaries are known, and on numbers made up."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from ganstrata.core.config.schema import RunConfig

FOLDER = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.fixture
def study(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """benchmarks/learning_intervals.py, forgotten after the test."""
    monkeypatch.syspath_prepend(str(FOLDER))
    before = set(sys.modules)
    yield importlib.import_module("learning_intervals")
    for name in {path.stem for path in FOLDER.iterdir()} & (set(sys.modules) - before):
        del sys.modules[name]


def test_runs_differ_in_the_seed_and_keep_the_requested_options(
    study: ModuleType, config: dict[str, Any]
) -> None:
    config["scorers"].append({"use": "fake_regions", "as": "regions"})
    config["concepts"] = {"include": ["seen/left", "regions/*", "seen/red"]}
    config["conditions"] = [
        {"edit": "seen/left", "keep": ["regions/bed"]},
        {"edit": "seen/left", "keep": ["seen/red"]},
    ]
    whole = RunConfig.model_validate(config)
    made = study.configured(whole, 5, 16, ["seen"])
    assert (made.synthesis.seed, made.rescoring.samples, made.rescoring.layers) == (5, 16, ["all"])
    assert [scorer.alias for scorer in made.scorers] == ["seen"]
    assert made.concepts.include == ["seen/left", "seen/red"]
    assert [condition.keep for condition in made.conditions] == [["seen/red"]]
    every = study.configured(whole, 5, 0, [])
    assert len(every.scorers) == len(every.conditions) == 2
    assert every.rescoring.samples == 64
    assert every.synthesis.model_copy(update={"seed": 3}) == whole.synthesis


def rescored(mean: float, error: float, learning: float) -> SimpleNamespace:
    """A run with one boundary, whose concept has a standard deviation of 2."""
    half = {
        "low": -1.96 * error,
        "high": 1.96 * error,
        "low_total": -2.5 * error,
        "high_total": 2.5 * error,
        "mean": 0.0,
    }
    tables = {name: np.full((1, 1, 2, 1), mean + shift) for name, shift in half.items()}
    effects = SimpleNamespace(**tables, error=np.full((1, 1, 2, 1), error))
    return SimpleNamespace(
        boundaries=SimpleNamespace(names=("a/x",)),
        own=np.array([0]),
        all_set=0,
        concepts=[SimpleNamespace(sd=2.0, least=0.1)],
        **vars(effects),
        learning_error=np.array([learning]),
    )


def test_a_row_of_the_table_equals_one_worked_out_by_hand(study: ModuleType) -> None:
    runs = [rescored(1.0, 0.2, 0.1), rescored(2.0, 0.2, 0.3), rescored(3.0, 0.6, 0.1)]
    shifts = np.array([0.0, 1.0, 2.0])
    samples = np.random.default_rng(0).standard_normal(40)
    row = study.row("a/x", runs, [(samples + shift)[None] for shift in shifts])
    assert (row["runs"], row["mean"], row["spread"]) == (3, 1.0, 0.5)
    assert row["implied"] == pytest.approx(np.sqrt((0.1**2 + 0.1**2 + 0.3**2) / 3))
    assert row["implied_total"] == pytest.approx(np.sqrt((0.05 + 0.13 + 0.37) / 4 / 3))
    assert row["learning_spread"] == pytest.approx(0.5)  # of 0, 1, 2 in units of 2
    assert (row["misses"], row["misses_total"]) == (1, 1)
    table = study.shown([row])
    assert "| a/x | 1.000 | 0.500 |" in table
    assert "1 of 3: 33.3%" in table


def test_the_study_runs_on_a_small_generator(
    study: ModuleType, fakes, config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    config["rescoring"] |= {"samples": 32, "learning_resamples": 4}
    config["synthesis"]["samples"] = 320
    file = tmp_path / "config.json"
    file.write_text(json.dumps(config), encoding="utf-8")
    monkeypatch.setattr(
        sys, "argv", ["learning_intervals.py", str(file), "--out", str(tmp_path / "runs"), "--seeds", "3"]
    )
    study.main()
    result = json.loads((tmp_path / "runs" / "result.json").read_text(encoding="utf-8"))
    rows = {row["concept"]: row for row in result["rows"]}
    assert rows["seen/red"]["runs"] == 3
    # What is planted moves by twice its own standard deviation; seeds agree on that.
    assert rows["seen/red"]["mean"] == pytest.approx(2.0, abs=0.2)
    assert 0.0 < rows["seen/red"]["spread"] < 0.2
    assert "| seen/red |" in capsys.readouterr().out
    common = np.load(tmp_path / "runs" / "common-01.npy")
    assert common.shape[1] == study.COMMON
    before = {path: path.read_bytes() for path in (tmp_path / "runs").glob("*.npy")}
    study.main()
    assert {path: path.read_bytes() for path in (tmp_path / "runs").glob("*.npy")} == before
