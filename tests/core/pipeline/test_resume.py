"""Finished stages are not computed again; damaged, missing or stale results are."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import ganstrata
import numpy as np
import pytest
from ganstrata import Boundaries
from ganstrata.core.boundaries.files import load_boundaries, save_boundaries
from ganstrata.core.errors import RunError
from ganstrata.core.pipeline.perform import resume
from ganstrata.core.runs.progress import Progress
from ganstrata.core.runs.run import Run
from ganstrata.core.runs.stages import STAGES
from ganstrata.core.storage.seal import sealed_text

QUIET = Progress(quiet=True)
EDITING_AND_REPORT = 400  # images at most, with the five batches that check the plugins and measure the speed


@pytest.fixture
def images(fakes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Return a function images() that counts the pictures since its last call."""
    log = tmp_path / "log"
    monkeypatch.setenv("FAKES_LOG", str(log))

    def count() -> int:
        lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
        log.write_text("", encoding="utf-8")
        return sum(int(line.split()[1]) for line in lines)

    return count


def flip(path: Path) -> None:
    """Turn one bit in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x10
    path.write_bytes(bytes(content))


def chunks(path: Path) -> list[Path]:
    return sorted(file for file in path.rglob("*") if file.is_file() and file.name != "zarr.json")


def test_a_finished_run_is_left_alone(worked, images, copied: Path, config, contents) -> None:
    before = contents(copied)
    ganstrata.run(config | {"checks": False}, copied)  # they make pictures of their own
    assert worked == []
    assert images() == 0
    assert contents(copied) == before


@pytest.mark.parametrize(("array", "at_least"), [("w", 0), ("scores/seen", 512), ("index", 0)])
def test_a_flipped_bit_among_the_samples_is_noticed_and_mended(
    array: str, at_least: int, worked, images, copied: Path, config, contents, finished: Run
) -> None:
    flip(chunks(copied / "samples.zarr" / array)[0])
    with pytest.raises(RunError, match="the results of the stage `synthesize` are missing or have changed"):
        resume(copied, "learn", progress=QUIET)
    images()
    ganstrata.run(config, copied)
    # One chunk of 512 samples is computed again, with images if scores are lost; the results are the same.
    assert worked == list(STAGES)
    assert at_least <= images() < at_least + EDITING_AND_REPORT
    assert contents(copied) == contents(finished.path)


def test_a_flipped_bit_in_rescoring_is_noticed_and_mended(
    worked, images, copied: Path, config, contents, finished: Run
) -> None:
    flip(chunks(copied / "rescoring.zarr" / "sums")[3])
    ganstrata.run(config, copied)
    assert worked == ["rescore", "edit", "report"]
    assert images() < 32 + 32 * 13 * 2 + EDITING_AND_REPORT
    assert contents(copied) == contents(finished.path)


@pytest.mark.parametrize(
    ("missing", "again"),
    [
        ("samples.zarr", STAGES),
        ("boundaries.json", STAGES[1:]),
        ("rescoring.zarr", STAGES[2:]),
        ("rescoring.csv", STAGES[2:]),
        ("edits/joint.png", STAGES[3:]),
        ("figures/depth.svg", STAGES[4:]),
        ("report.html", STAGES[4:]),
    ],
)
def test_what_is_deleted_is_made_again(
    missing: str, again, worked, copied: Path, config, contents, finished: Run
) -> None:
    path = copied / missing
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
    ganstrata.run(config, copied)
    assert worked == list(again)
    assert contents(copied) == contents(finished.path)
    assert (copied / "report.html").is_file()


def test_other_boundaries_make_rescoring_stale(worked, images, copied: Path, config) -> None:
    run = Run.open(copied)
    boundaries, skipped = load_boundaries(copied)
    turned = [ganstrata.Boundary(**{**vars(b), "normal": -b.normal}) for b in boundaries]
    save_boundaries(Boundaries(turned), copied, skipped)
    run.finish("learn", seconds=0.0, files=("boundaries.safetensors", "boundaries.json"))
    done = ganstrata.run(config, copied)
    assert worked == ["rescore", "edit", "report"]
    assert images() > 64 * (6 + 12) * 13  # every boundary and null direction at every layer set
    assert done.manifest["stages"]["rescore"]["factors"] == []


def test_a_changed_boundary_file_is_not_trusted(
    worked, copied: Path, config, contents, finished: Run
) -> None:
    boundaries, skipped = load_boundaries(copied)
    moved = [ganstrata.Boundary(**{**vars(b), "normal": np.roll(b.normal, 1)}) for b in boundaries]
    save_boundaries(Boundaries(moved), copied, skipped)
    changed = "boundaries.safetensors, boundaries.json: missing, or changed since it was written"
    with pytest.raises(
        RunError,
        match=re.escape(f"`learn` is not complete ({changed}); run `ganstrata learn {copied}` first"),
    ):
        resume(copied, "rescore", progress=QUIET)
    ganstrata.run(config, copied)
    assert worked == ["learn", "rescore", "edit", "report"]
    assert contents(copied) == contents(finished.path)


def test_another_config_is_refused_by_the_names_of_its_keys(fakes, copied: Path, config, contents) -> None:
    before, manifest = contents(copied), (copied / "run.json").read_bytes()
    config["synthesis"]["samples"] = 700
    config["scorers"][0]["as"] = "read"
    config["rescoring"]["groups"] = {"low": "0-3"}
    with pytest.raises(RunError) as caught:
        ganstrata.run(config, copied)
    message = str(caught.value)
    assert "synthesis.samples: 640 there, 700 here" in message
    assert 'rescoring.groups.bottom: "0-1" there, null here' in message
    assert 'rescoring.groups.low: null there, "0-3" here' in message
    assert "scorers" not in message, "these may change"
    assert "bootstrap" not in message
    assert contents(copied) == before
    assert (copied / "run.json").read_bytes() == manifest


def test_groups_in_another_order_are_the_same_config(
    fakes, copied: Path, config, contents, finished: Run
) -> None:
    for mark in sorted((copied / "rescoring.zarr" / "done").glob("0*.json"))[::2]:
        mark.unlink()
    config["rescoring"]["groups"] = dict(reversed(config["rescoring"]["groups"].items()))
    ganstrata.run(config, copied)
    assert contents(copied) == contents(finished.path)


def test_the_number_of_workers_may_change(worked, copied: Path, config) -> None:
    (copied / "report.html").unlink()
    config["engine"] = {"workers": 2, "threads": 2}
    ganstrata.run(config, copied)
    assert worked == ["report"]


def test_a_stage_wants_those_before_it(fakes, copied: Path) -> None:
    manifest = json.loads((copied / "run.json").read_text(encoding="utf-8"))
    del manifest["stages"]["learn"]
    (copied / "run.json").write_text(sealed_text(manifest), encoding="utf-8")
    with pytest.raises(RunError, match="the stage `learn` is not complete"):
        resume(copied, "rescore", progress=QUIET)


def test_running_one_stage_makes_later_stages_due(worked, copied: Path) -> None:
    (copied / "rescoring.csv").unlink()
    resume(copied, "rescore", progress=QUIET)
    assert worked == ["rescore"]
    assert list(Run.open(copied).manifest["stages"]) == ["synthesize", "learn", "rescore"]


def test_the_batch_size_is_settled_when_the_run_begins(
    fakes, config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config["synthesis"]["batch_size"] = "auto"
    first = ganstrata.run(config, tmp_path / "run")
    assert first.batch == 64
    (tmp_path / "run" / "report.html").unlink()
    monkeypatch.setattr("ganstrata.core.runs.prepare.auto_batch", lambda *_: 16)
    assert ganstrata.run(config, tmp_path / "run").batch == 64
