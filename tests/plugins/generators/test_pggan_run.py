"""The whole method on a small ProgressiveGAN: one layer, so everything but layer-wise analysis."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import ganstrata
import pytest
from click.testing import CliRunner, Result
from ganstrata.cli.main import main
from generators_pggan import small_state, weights
from safetensors.torch import save_file


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, Path]:
    """`ganstrata run` with the hue scorer, and where it was written."""
    folder = tmp_path_factory.mktemp("pggan")
    save_file(small_state("genforce", own=weights((6, 5), 8)), folder / "small.safetensors")
    config = {
        "generator": {"use": "auto", "with": {"checkpoint": str(folder / "small.safetensors")}},
        "scorers": [{"use": "hue", "as": "colour"}],
        "concepts": {"include": ["colour/saturation", "colour/value"]},
        "boundary": {"use": "ridge", "with": {"positives": 80, "negatives": 80}},
        "synthesis": {"samples": 400, "batch_size": 50},
        "rescoring": {"samples": 32, "null_directions": 10, "bootstrap": 200},
        "editing": {"samples": 2, "steps": 3},
        "report": {"samples": 2},
        "device": "cpu",
        "engine": {"workers": 1},
    }
    (folder / "small.json").write_text(json.dumps(config), encoding="utf-8")
    result = CliRunner().invoke(main, ["run", str(folder / "small.json"), "--out", str(folder / "run")])
    return result, folder / "run"


def test_the_run_ends_well(made: tuple[Result, Path]) -> None:
    result, path = made
    assert result.exit_code == 0, result.stderr
    run = ganstrata.open_run(path)
    assert run.manifest["generator"]["family"] == "ProgressiveGAN"
    assert run.manifest["generator"]["layers"] == 1
    with (path / "rescoring.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["layers"] for row in rows} == {"all"}
    own = [
        (row["concept"], float(row["mean_in_sd"]) * float(row["step"]))
        for row in rows
        if row["boundary"] == row["concept"]
    ]
    assert {concept for concept, _ in own} == {"colour/saturation", "colour/value"}
    assert min(effect for _, effect in own) > 0.5, (
        "a step along a boundary, to either side, moves its own concept with it"
    )
    assert (path / "report.html").stat().st_size > 10_000


def test_it_says_that_layer_wise_analysis_does_not_apply(made: tuple[Result, Path]) -> None:
    result, path = made
    assert "layer-wise analysis does not apply" in result.stderr
    assert "layer-wise analysis does not apply" in (path / "report.html").read_text(encoding="utf-8")
