"""`ganstrata segment`: from a config to an extractor, on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

CONFIG = """
generator: {use: fake_layers}
teacher: {use: fake_regions}
training: {images: 50, batch_size: 8}
device: cpu
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A small config."""
    path = tmp_path / "segment.yaml"
    path.write_text(CONFIG, encoding="utf-8")
    return path


def test_training_writes_an_extractor_and_says_where(invoke, config, tmp_path):
    out = tmp_path / "seg"
    result = invoke("segment", "train", str(config), "--out", str(out), "--set", "extractor.head=NSE-1")
    assert (result.exit_code, result.stdout) == (0, f"Extractor: {out / 'extractor.safetensors'}\n")
    assert "train: done in" in result.stderr
    again = invoke("segment", "train", str(config), "--out", str(out), "--set", "extractor.head=NSE-1")
    assert again.exit_code == 0
    assert f"{out} is trained already" in again.stderr


def test_a_config_is_checked_with_its_teacher(invoke, config):
    result = invoke("config", "check", str(config))
    assert (result.exit_code, result.stdout) == (
        0,
        f"{config} is valid, for `ganstrata segment`: generator fake_layers, teacher fake_regions, "
        "head LSE.\n",
    )
    wrong = invoke("config", "check", str(config), "--set", "training.images=many")
    assert wrong.exit_code == 2
    assert "training -> images" in wrong.stderr


def test_the_config_of_a_run_is_not_one_of_a_segmentation(invoke, tmp_path):
    (tmp_path / "run.yaml").write_text(
        "generator: {use: fake_layers}\nscorers: [{use: fake_readings}]\nboundary: {use: ridge}\n",
        encoding="utf-8",
    )
    result = invoke("segment", "train", str(tmp_path / "run.yaml"), "--out", str(tmp_path / "seg"))
    assert result.exit_code == 2
    assert "teacher" in result.stderr
    assert not (tmp_path / "seg").exists()


def test_an_extractor_is_a_scorer_of_a_run_and_of_its_analyses(invoke, config, tmp_path):
    file = tmp_path / "seg" / "extractor.safetensors"
    assert invoke("segment", "train", str(config), "--out", str(file.parent), "--quiet").exit_code == 0
    run, folder = tmp_path / "run.yaml", tmp_path / "run"
    extractor = f"{{use: extractor, with: {{checkpoint: {file}}}}}"
    run.write_text(
        f"""
generator: {{use: fake_layers}}
scorers:
  - {{use: fake_readings, as: seen}}
  - {{use: extractor, as: object, with: {{checkpoint: {file}}}}}
  - {{use: layout, with: {{segmenter: {extractor}, walls: [wall, bed]}}}}
concepts: {{include: [seen/red]}}
boundary: {{use: ridge, with: {{positives: 0.3, negatives: 0.3}}}}
synthesis: {{samples: 100, batch_size: 20}}
rescoring: {{samples: 16, layers: [all], null_directions: 3, bootstrap: 100, learning_resamples: 0}}
editing: {{samples: 2, steps: 3}}
engine: {{workers: 1}}
device: cpu
""",
        encoding="utf-8",
    )
    result = invoke("run", str(run), "--out", str(folder), "--quiet")
    assert result.exit_code == 0, result.stderr
    table = (folder / "rescoring.csv").read_text(encoding="utf-8")
    assert "object/sofa" in table
    objects = invoke("analysis", "objects", str(folder), "--along", "seen/red", "--samples", "8", "--quiet")
    assert objects.exit_code == 0, objects.stderr
    assert (folder / "analysis/objects/objects.json").is_file()


def test_shots_are_measured_and_said(invoke, config, tmp_path, monkeypatch):
    from ganstrata.core.semantics.learning import few_shot

    monkeypatch.setattr(few_shot, "MOST_STEPS", 5)
    out = tmp_path / "shots"
    result = invoke(
        "segment",
        "shots",
        str(config),
        "--out",
        str(out),
        "--shots",
        "1,2",
        "--repeats",
        "2",
        "--images",
        "9",
        "--set",
        "training.images=null",
    )
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0].startswith("1 annotated picture: mIoU ")
    assert lines[1].startswith("2 annotated pictures: mIoU ")
    assert lines[-1] == f"Page: {out / 'shots.html'}"


@pytest.mark.parametrize("shots", ["0", "1,1", "4,many", "", "-1", "1001"])
def test_numbers_of_shots_that_are_none_are_refused(invoke, config, tmp_path, shots):
    result = invoke("segment", "shots", str(config), "--out", str(tmp_path / "s"), f"--shots={shots}")
    assert result.exit_code == 2
    assert "is not a list of different whole numbers from 1 to 1000, such as 1,4,8,16" in " ".join(
        result.stderr.split()
    )


def _edit_and_sample(invoke, seg, tmp_path):
    """Edit and sample with a folder that has no teacher, by masks of its own labels."""
    from PIL import Image, ImageOps

    canvas, mask = tmp_path / "canvas", tmp_path / "canvas" / "mask.png"
    written = invoke("segment", "edit", seg, "--sample", 1, "--out", canvas)
    assert written.exit_code == 0, written.stderr
    with Image.open(canvas / "labels.png") as labels:
        ImageOps.mirror(labels.convert("RGBA")).save(mask)
    search = ("--steps", 3, "--quiet")
    edited = invoke(
        "segment", "edit", seg, "--sample", 1, "--strokes", mask, "--out", tmp_path / "edited", *search
    )
    assert edited.exit_code == 0, edited.stderr
    assert {path.name for path in (tmp_path / "edited").glob("labels_*")} == {
        "labels_before_extractor.png",
        "labels_after_extractor.png",
    }
    assert "teacher" not in (tmp_path / "edited" / "edit.html").read_text(encoding="utf-8")
    sampled = invoke("segment", "sample", seg, "--mask", mask, "-n", 2, "--out", tmp_path / "drawn", *search)
    assert sampled.exit_code == 0, sampled.stderr
    assert len(list((tmp_path / "drawn").glob("picture_*.png"))) == 2
    by_teacher = invoke(
        "segment", "sample", seg, "--mask", mask, "--by", "teacher", "--out", tmp_path / "none"
    )
    assert by_teacher.exit_code == 2
    assert "has no teacher; leave out --by teacher" in by_teacher.stderr


def test_pictures_are_annotated_learnt_and_suggested(invoke, config, tmp_path):
    import numpy as np
    from ganstrata.core.semantics.annotation.annotations import Annotations
    from ganstrata.core.semantics.annotation.masks import label_png

    paint, seg = tmp_path / "paint", tmp_path / "seg"
    result = invoke(
        "segment", "annotate", str(config), "-n", "2", "--classes", "dark, light", "--out", str(paint)
    )
    assert result.exit_code == 2
    assert "training -> images: is 50" in result.stderr
    assert "--set training.images=null" in result.stderr
    result = invoke(
        *("segment", "annotate", str(config), "-n", "2", "--classes", "dark, light"),
        *("--out", str(paint), "--set", "training.images=null"),
    )
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith(f"2 pictures and 2 classes in {paint}.")
    nothing = invoke("segment", "learn", str(paint), "--out", str(seg))
    assert nothing.exit_code == 2
    assert "no picture is annotated yet" in nothing.stderr
    labels = np.repeat(np.arange(8)[None] // 4, 8, axis=0)
    folder = Annotations.open(paint)
    for sample in folder.samples:
        folder.file("mask", sample).write_bytes(label_png(labels, folder.legend))
    learnt = invoke("segment", "learn", str(paint), "--out", str(seg), "--heads", "3")
    assert learnt.exit_code == 0, learnt.stderr
    assert learnt.stdout == f"Learnt from 2 masks. Extractor: {seg / 'extractor.safetensors'}\n"
    moved = seg.rename(tmp_path / "moved")
    _edit_and_sample(invoke, moved, tmp_path)
    for command in (
        ("eval", moved, "--images", 8),
        ("agreement", moved, "--out", tmp_path / "agreement"),
    ):
        refused = invoke("segment", *command)
        assert refused.exit_code == 2
        assert "names no teacher, so there is nothing to compare it with" in refused.stderr
    suggested = invoke("segment", "suggest", str(paint), "--pool", "9", "-n", "2", "--heads", "3")
    assert suggested.exit_code == 0, suggested.stderr
    assert suggested.stdout.count("sample-1000") == 2
