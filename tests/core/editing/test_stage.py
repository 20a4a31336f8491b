"""Stage 4: strips show the edits of their captions."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import ganstrata
import numpy as np
import pytest
import torch
from ganstrata import Stream
from ganstrata.core.editing.stage import is_complete
from ganstrata.core.editing.strips import split_strip
from ganstrata.core.figures.pictures import read_picture, to_pixels
from ganstrata.core.runs.prepare import prepare
from ganstrata.core.runs.progress import Progress
from ganstrata.core.runs.run import Run
from ganstrata.core.study.create import StudyRequest, make_study


@pytest.fixture
def unedited(fakes) -> np.ndarray:
    """The two samples that are edited, (2, 8, 8, 3)."""
    generator = ganstrata.load_generator("fake_layers", device="cpu")
    with torch.inference_mode():
        codes = generator.broadcast(generator.map(generator.sample(2, 3, 0, Stream.EDITING).z))
        return to_pixels(ganstrata.render(generator, codes))


def strip(run: Run, name: str) -> np.ndarray:
    return split_strip(read_picture((run.path / "edits" / f"{name}.png").read_bytes()), 3)


def test_there_is_a_strip_per_boundary_and_group(finished: Run) -> None:
    names = {file.name for file in (finished.path / "edits").glob("*.png")}
    concepts = ("left", "checks", "stripes", "red", "chance", "half")
    assert names == {
        f"seen.{c}.{s}.png" for c in concepts for s in ("all", "bottom", "lower", "upper", "top")
    } | {"joint.png"}


def test_the_middle_of_a_strip_is_the_sample(finished: Run, unedited: np.ndarray) -> None:
    for name in ("seen.red.all", "seen.left.bottom"):
        frames = strip(finished, name)
        assert frames.shape == (2, 3, 8, 8, 3)
        assert np.abs(frames[:, 1].astype(int) - unedited).max() <= 1


def test_an_edit_shows_at_the_planted_layers_alone(finished: Run) -> None:
    def redness(name: str) -> np.ndarray:
        frames = strip(finished, name).astype(float)
        return (frames[..., 0] - frames[..., 2]).mean(axis=(2, 3))  # (samples, steps)

    for name in ("seen.red.all", "seen.red.top"):
        assert (np.diff(redness(name), axis=1) > 20).all()
    assert np.abs(np.diff(redness("seen.red.bottom"), axis=1)).max() < 3


def test_the_table_holds_the_scores_of_the_frames(finished: Run) -> None:
    with (finished.path / "edits" / "edits.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 6 * 5 * 2 * 3
    red = [
        float(r["score"])
        for r in rows
        if (r["boundary"], r["layers"], r["sample"]) == ("seen/red", "top", "0")
    ]
    assert [r["amount"] for r in rows[:3]] == ["-3", "0", "3"]
    # The gain is 0.05, the spread of w about 2: three steps of it either way.
    assert np.diff(red) == pytest.approx([0.3, 0.3], abs=0.03)


def test_the_joint_edit_takes_each_level_where_it_works_best(finished: Run, unedited: np.ndarray) -> None:
    parts = json.loads((finished.path / "edits" / "edits.json").read_text(encoding="utf-8"))["joint"]
    assert [(p["level"], p["group"]) for p in parts] == [
        ("layout", "bottom"),
        ("category", "lower"),
        ("attribute", "upper"),
        ("colour", "top"),
    ]
    frames = split_strip(read_picture((finished.path / "edits" / "joint.png").read_bytes()), 6).astype(
        int
    )  # (samples, columns, H, W, 3)
    assert np.abs(frames[:, 0] - unedited).max() <= 1
    alone = sum(frames[:, i] - frames[:, 0] for i in range(1, 5))
    together = frames[:, 5] - frames[:, 0]
    inside = (frames.min(axis=1) > 0) & (frames.max(axis=1) < 255)
    assert (
        np.abs(alone - together)[inside].max() <= 8
    )  # the textures aside, changes at different layers add up


def test_strips_under_names_of_an_earlier_version_are_made_anew(fakes, copied: Path) -> None:
    run = Run.open(copied)
    prepared = prepare(run.config)
    assert is_complete(run, prepared)
    files = run.manifest["stages"]["edit"]["files"]
    (copied / "edits/seen.red.all.png").rename(copied / "edits/seen.red.all-1234.png")
    files["edits/seen.red.all-1234.png"] = files.pop("edits/seen.red.all.png")
    assert not is_complete(run, prepared)


def test_no_pass_is_larger_than_a_batch(
    fakes, config, finished: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "log"
    monkeypatch.setenv("FAKES_LOG", str(log))
    config["synthesis"] |= {"samples": 200, "batch_size": 8}
    config["boundary"]["with"] = {"positives": 20, "negatives": 20}
    config["rescoring"] |= {"samples": 16, "layers": ["all", "groups"]}
    config["editing"]["samples"] = 21
    config["report"]["samples"] = 30
    run = ganstrata.run(config, tmp_path / "run")
    ganstrata.manipulate(run, "seen/red", seeds="0-20", steps=3)
    make_study(
        run.path,
        tmp_path / "study",
        StudyRequest(concepts=("seen/red",), strips=12, seed=1),
        progress=Progress(quiet=True),
    )
    passes = [int(line.split()[1]) for line in log.read_text(encoding="utf-8").splitlines()]
    assert max(passes) == 8
    shown = strip(run, "seen.red.all")
    generator = ganstrata.load_generator("fake_layers", device="cpu")
    with torch.inference_mode():
        codes = generator.broadcast(generator.map(generator.sample(21, 3, 0, Stream.EDITING).z))
        unedited = to_pixels(ganstrata.render(generator, codes))
    assert shown.shape == (21, 3, 8, 8, 3)
    assert np.abs(shown[:, 1].astype(int) - unedited).max() <= 1
    with (run.path / "edits" / "edits.csv").open(encoding="utf-8", newline="") as file:
        rows = [
            row for row in csv.DictReader(file) if (row["boundary"], row["layers"]) == ("seen/red", "all")
        ]
    assert [(int(row["sample"]), float(row["amount"])) for row in rows] == [
        (k, amount) for k in range(21) for amount in (-3.0, 0.0, 3.0)
    ]
