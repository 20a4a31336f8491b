"""`ganstrata segment layers`: where classes are read and moved, or a clear refusal."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import ganstrata
import pytest
from click.testing import Result
from conftest import CONFIG
from ganstrata.core.runs.run import Run
from ganstrata.core.storage.disk import file_hash
from ganstrata.core.storage.result_folder import faults_of

SEGMENT = """
generator: {use: fake_layers}
teacher: {use: fake_regions}
training: {images: 400, batch_size: 8, layerwise_loss: 0.1, learning_rate: 0.02}
device: cpu
"""


@pytest.fixture
def trained(invoke: Callable[..., Result], tmp_path: Path) -> Callable[..., Path]:
    """trained(name, "extractor.head=NSE-2", ...) trains an extractor into a folder of that name."""
    config = tmp_path / "segment.yaml"
    config.write_text(SEGMENT, encoding="utf-8")

    def train(name: str, *changes: str) -> Path:
        sets = [part for change in changes for part in ("--set", change)]
        result = invoke("segment", "train", config, "--out", tmp_path / name, "--quiet", *sets)
        assert result.exit_code == 0, result.output
        return tmp_path / name

    return train


@pytest.fixture
def run(fakes, tmp_path: Path) -> Run:
    """A run that scores the regions, and moves every layer by itself."""
    config = deepcopy(CONFIG)
    config["scorers"] = [{"use": "fake_regions", "as": "regions"}]
    config["rescoring"] |= {"layers": ["all", "each"], "learning_resamples": 0}
    return ganstrata.run(config, tmp_path / "run")


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_classes_are_moved_where_the_fake_generator_plants_them(invoke, trained, run, tmp_path):
    """Sofa turns into bed where a picture turns red, which layer 7 alone causes; the wall never changes."""
    lse, out = trained("lse"), tmp_path / "out"
    result = invoke("segment", "layers", lse, "--run", run.path, "--images", "40", "--out", out)
    assert result.exit_code == 0, result.output
    rows = {row["class"]: row for row in rows_of(out / "classes.csv")}
    assert [rows[name]["moved_at_layers"] for name in ("sofa", "bed")] == ["7", "7"]
    assert rows["wall"]["not_moved_because"].startswith("no boundary: ")
    for row in rows.values():
        assert bool(row["moved_at_layers"]) != bool(row["not_moved_because"]), row
    # What is read is what `segment eval` finds stratum by stratum.
    assert invoke("segment", "eval", lse, "--images", "40", "--out", tmp_path / "eval").exit_code == 0
    expected = {
        (row["class"], row["stratum"]): row["iou_per_image"]
        for row in rows_of(tmp_path / "eval" / "strata.csv")
        if row["class"] != "mean"
    }
    read = [row for row in rows_of(out / "read_and_moved.csv") if row["what"] == "read"]
    assert {(row["class"], row["stratum"]): row["value"] for row in read} == expected
    assert "not trained to say anything" not in result.stdout
    assert faults_of(out, "read_and_moved.json") == []
    index = json.loads((out / "read_and_moved.json").read_text(encoding="utf-8"))
    assert index["run"]["scorer"] == "regions"
    assert len(index["sentences"]) == 4
    assert f"In {out}" in result.stdout


def test_a_teacher_that_changed_since_the_training_is_told_and_recorded(
    invoke, trained, run, tmp_path, change_teacher
):
    lse, out = trained("lse", "training.images=50"), tmp_path / "out"
    changed_teacher = change_teacher()
    result = invoke("segment", "layers", lse, "--run", run.path, "--images", "8", "--out", out)
    assert result.exit_code == 0, result.output
    assert f"since its training, {changed_teacher}" in result.stderr
    index = json.loads((out / "read_and_moved.json").read_text(encoding="utf-8"))
    assert index["changed_since_training"] == [changed_teacher]
    assert index["extractors_sha256"] == {"lse": file_hash(lse / "extractor.safetensors")}
    assert index["seed"] == 0
    assert index["provenance"]["teacher"]["name"] == "fake_regions"


def _refused(result: Result, words: str, out: Path) -> None:
    assert result.exit_code == 2, result.output
    assert words in result.stderr
    assert "Traceback" not in result.output
    assert not out.exists()


def test_what_does_not_fit_is_refused_before_anything_is_read(invoke, trained, finished, run, tmp_path):
    lse, out = trained("lse"), tmp_path / "out"

    def call(*arguments: object) -> Result:
        return invoke("segment", "layers", *arguments, "--images", "8", "--out", out)

    _refused(call(lse, "--run", finished.path), "no scorer of the run has any of the classes", out)
    _refused(call(lse, "--run", tmp_path), "is not a run directory", out)
    _refused(call(run.path, "--run", run.path), "is not a segmentation folder", out)
    _refused(call(lse, "--run", run.path, "--scorer", "region"), "Did you mean 'regions'?", out)
    nse = trained("nse", "extractor.head=NSE-2", "training.layerwise_loss=0", "training.images=50")
    _refused(call(nse, "--run", run.path), "the strata of NSE-2 say nothing by themselves", out)
    other = trained("other", "generator.use=fake_flat", "training.images=50")
    _refused(call(other, "--run", run.path), "are of different generators", out)
    out.mkdir()
    (out / "notes.txt").write_text("mine", encoding="utf-8")
    result = call(lse, "--run", run.path)
    assert result.exit_code == 2
    assert "notes.txt" in result.stderr
    assert [path.name for path in out.iterdir()] == ["notes.txt"]


def test_a_run_that_moved_no_single_layers_is_refused(invoke, trained, fakes, tmp_path):
    config = deepcopy(CONFIG)
    config["scorers"] = [{"use": "fake_regions", "as": "regions"}]
    config["rescoring"] |= {"layers": ["all", "groups"], "learning_resamples": 0}
    run = ganstrata.run(config, tmp_path / "run")
    out = tmp_path / "out"
    result = invoke(
        "segment", "layers", trained("lse", "training.images=50"), "--run", run.path, "--out", out
    )
    _refused(result, "Make a run with rescoring.layers: [all, each]", out)
