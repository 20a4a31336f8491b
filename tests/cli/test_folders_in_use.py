"""Every command that writes a folder of results alone is told who holds it, and writes nothing."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from ganstrata.core.runs.lock import locked_results
from ganstrata.core.semantics.annotation.legend import Legend
from ganstrata.core.semantics.annotation.masks import label_png
from segment_folders import trained

GENERATOR = ("--generator", "fake_layers", "--perceptual", "none")
STEPS = ("--embed", "mean", "--refine", "none")


def commands(folder: Path, run: Path) -> dict[str, tuple[object, ...]]:
    """Arguments by name; those that are not looked at before the folder is locked name nothing."""
    seg, out = folder / "seg", ("--out", folder / "out")
    return {
        "eval": ("segment", "eval", seg, *out),
        "geometry": ("segment", "geometry", seg, *out),
        "layers": ("segment", "layers", seg, "--run", run, *out),
        "agreement": ("segment", "agreement", seg, *out),
        "edit": ("segment", "edit", seg, "--sample", 0, *out),
        "paint": ("segment", "edit", seg, "--sample", 0, "--strokes", folder / "strokes.png", *out),
        "sample": ("segment", "sample", seg, "--mask", folder / "strokes.png", *out),
        "annotate": ("segment", "annotate", folder / "annotate.yaml", "--classes", "a,b", *out),
        "learn": ("segment", "learn", folder / "none", *out),
        "dissect": ("dissect", folder / "segment.yaml", *out),
        "make": ("study", "make", run, *out),
        "read": ("study", "read", folder / "none", folder / "none.json", *out),
        "interpolate": ("morph", "interpolate", *GENERATOR, "--seeds", "0-1", *out),
        "mix": ("morph", "mix", *GENERATOR[:2], "--seeds", "0-1", "--layers", "4-7", *out),
        "diffuse": (
            *("morph", "diffuse", folder / "a.png", folder / "b.png", "--box", "0,0,2,2", *GENERATOR, *STEPS),
            *out,
        ),
        "trust": ("trust", folder / "none", *GENERATOR[:2], *out),
        "manipulate": ("manipulate", run, "--along", "seen/red", "--seeds", "0", *out),
        "ranking": ("analysis", "ranking", run, *out),
        "export": ("boundaries", "export", run, *out),
        "import": ("boundaries", "import", run, "--assume", run, *out),
    }


def test_the_second_process_is_told_who_holds_the_folder(invoke, finished, tmp_path: Path) -> None:
    trained(invoke, tmp_path)
    (tmp_path / "annotate.yaml").write_text("generator: {use: fake_layers}\ndevice: cpu\n", encoding="utf-8")
    labels = np.repeat(np.arange(8)[None] // 4, 8, axis=0)
    (tmp_path / "strokes.png").write_bytes(label_png(labels, Legend.of(("a", "b"))))
    told = f"{tmp_path / 'out'} is in use by another process: process {os.getpid()} on this machine, since"
    with locked_results(tmp_path / "out"):
        before = sorted(tmp_path.rglob("*"))
        for name, arguments in commands(tmp_path, finished.path).items():
            result = invoke(*arguments)
            assert (name, result.exit_code) == (name, 2), result.output
            assert told in " ".join(result.stderr.split()), (name, result.stderr)
            assert sorted(tmp_path.rglob("*")) == before, name


def test_two_suggestions_do_not_lose_each_others_pictures(invoke, tmp_path: Path) -> None:
    with locked_results(tmp_path / "paint"):
        result = invoke("segment", "suggest", tmp_path / "paint")
    assert result.exit_code == 2
    assert f"{tmp_path / 'paint'} is in use by another process" in " ".join(result.stderr.split())
