"""One page of each kind that the commands write, of the fakes: what is looked at in a browser."""

from __future__ import annotations

import json
import shutil
from copy import deepcopy
from pathlib import Path
from typing import Any

import ganstrata
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from conftest import CONFIG
from fakes import LAYERS, WIDTH
from ganstrata.cli.main import main
from ganstrata.core.figures.pictures import png, to_pixels
from ganstrata.core.leaderboard import of_projections
from ganstrata.core.semantics.annotation.legend import read_legend
from ganstrata.core.semantics.learning import few_shot
from PIL import Image
from segment_folders import trained

PAGES = {
    "report": "run/report.html",
    "manipulate": "manipulated/manipulate.html",
    "study": "study/study.html",
    "leaderboard": "board/leaderboard.html",
    "dissect": "dissection/page.html",
    "segment eval": "evaluated/evaluation.html",
    "segment geometry": "geometry/geometry.html",
    "segment shots": "shots/shots.html",
    "segment edit": "edited/edit.html",
    "segment sample": "sampled/sample.html",
    "segment agreement": "agreement/agreement.html",
    "invert": "inverted/inversion.html",
    "morph interpolate": "path/interpolate.html",
    "morph mix": "mix/mix.html",
    "morph diffuse": "diffused/diffuse.html",
    "trust": "inverted/trust/trust.html",
}
QUICK = ("--embed", "mean", "--refine", "w+", "--set", "w+.steps=3", "--perceptual", "none")


def call(*arguments: object, quiet: bool = True) -> Any:
    """Call a command in this process."""
    done = CliRunner().invoke(main, [*map(str, arguments), *(["--quiet"] if quiet else [])])
    assert done.exit_code == 0, f"{arguments}: {done.output}{done.exception!r}"
    return done


def write_pages(finished: Path, folder: Path) -> None:
    """Write all PAGES into a folder; the fakes must be available.

    Args:
        finished: a complete run with a segmenter called `regions`; it is copied.
        folder: where to write.
    """
    run = Path(shutil.copytree(finished, folder / "run"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(of_projections, "FITS", 10)
        patch.setattr(few_shot, "MOST_STEPS", 20)
        _of_runs(run, folder)
        _of_segmentations(folder)
        _of_pictures(run, folder)


def _of_runs(run: Path, folder: Path) -> None:
    red, left = ("--along", "seen/red"), ("--along", "seen/left")
    call("analysis", "objects", run, *red, *left, "--layers", "all", "--samples", 24, "--step", 4)
    call("manipulate", run, *red, *left, "--seeds", "0-1", "--out", folder / "manipulated")
    concepts = ("--concepts", "seen/left", "--concepts", "seen/red")
    call("study", "make", run, "--out", folder / "study", "--strips", 1, *concepts)
    config = deepcopy(CONFIG) | {"checks": False}
    config["concepts"] = {"include": ["seen/left", "seen/red"]}
    (folder / "board.json").write_text(json.dumps(config), encoding="utf-8")
    few = ("--samples", 100, "--verify", 16, "--fresh", 40, "--null", 4, "--steps", "-1, 1.5")
    call("leaderboard", folder / "board.json", "ridge", "sefa", "--out", folder / "board", *few)


def _of_segmentations(folder: Path) -> None:
    seg, config = trained(lambda *given: call(*given[:-1]), folder), folder / "segment.yaml"
    few = ("--permutations", 199, "--counts", "2,1", "--curve-samples", 16, "--random-sets", 4)
    call("dissect", config, "--stratum", "s1", "--samples", 48, *few, "--out", folder / "dissection")
    call("segment", "eval", seg, "--images", 40, "--out", folder / "evaluated")
    few = ("--per-class", 16, "--max-images", 24, "--centres", 24, "--images", 24, "--per-image", 8)
    call("segment", "geometry", seg, *few, "--out", folder / "geometry")
    few = ("--shots", "1,2", "--repeats", 2, "--images", 10)
    call("segment", "shots", config, "--set", "training.images=null", *few, "--out", folder / "shots")
    call("segment", "edit", seg, "--sample", 3, "--out", folder / "paint")
    labels = np.asarray(Image.open(folder / "paint/labels.png"))

    legend = read_legend(folder / "paint/classes.json")
    strokes = np.zeros((*labels.shape, 4), np.uint8)
    strokes[len(labels) // 2 :] = (*legend.colours[legend.names.index("bed")], 255)
    Image.fromarray(strokes).save(folder / "strokes.png")
    painted = ("--steps", 2, "--out")
    call(
        "segment",
        "edit",
        seg,
        "--sample",
        3,
        "--strokes",
        folder / "strokes.png",
        *painted,
        folder / "edited",
    )
    mask = ("--mask", folder / "strokes.png", "-n", 2)
    call("segment", "sample", seg, *mask, *painted, folder / "sampled")
    few = ("--targets", 2, "-n", 2, "--candidates", 2, "--no-baseline")
    call("segment", "agreement", seg, *few, *painted, folder / "agreement")


def _of_pictures(run: Path, folder: Path) -> None:
    generator = ganstrata.load_generator("fake_layers", device="cpu")
    codes = torch.randn(3, LAYERS, WIDTH, generator=torch.Generator().manual_seed(2))
    (folder / "rooms").mkdir()
    for name, picture in zip(
        ("target", "rooms/den", "rooms/attic"), to_pixels(ganstrata.render(generator, codes)), strict=True
    ):
        (folder / f"{name}.png").write_bytes(png(picture))
    made = ("--generator", "fake_layers")
    inverted = folder / "inverted"
    call("invert", folder / "rooms", *made, *QUICK, "--out", inverted)
    grid = ("--codes", inverted, *made)
    call(
        "morph",
        "interpolate",
        *grid,
        "--perceptual",
        "none",
        "--steps",
        3,
        "--as",
        "html",
        "--out",
        folder / "path",
    )
    call("morph", "mix", *grid, "--layers", "4-7", "--out", folder / "mix")
    box = ("--box", "0,0,4,4", "--batch", 1, "--out", folder / "diffused")
    call("morph", "diffuse", folder / "target.png", folder / "rooms", *made, *QUICK, *box)
    few = ("--along", "seen/red", "--samples", 8, "--calibrate", 19, "--consistency", 1)
    call("trust", inverted, "--run", run, *few)
