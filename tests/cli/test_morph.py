"""`ganstrata morph` on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import ganstrata
import numpy as np
import pytest
import torch
from fakes import LAYERS, WIDTH
from ganstrata.core.figures.pictures import png, to_pixels
from ganstrata.core.plugins.inverter import Inversion
from ganstrata.core.runs.inversions import read_inversion
from inverted_pictures import write_inverted
from PIL import Image

NAMES = ("1-hall", "2-den", "3-attic")


@pytest.fixture
def inverted(fakes, tmp_path: Path) -> Path:
    codes = torch.randn(3, LAYERS, WIDTH, generator=torch.Generator().manual_seed(1))
    generator = ganstrata.load_generator("fake_layers", device="cpu")
    return write_inverted(tmp_path / "inverted", Inversion(codes), NAMES, generator)


GENERATOR = ("--generator", "fake_layers", "--quiet")


def test_a_path_and_a_grid_of_inverted_pictures(invoke, inverted: Path, tmp_path: Path) -> None:
    out = tmp_path / "path"
    command = ("morph", "interpolate", *GENERATOR, "--codes", inverted, "--perceptual", "none", "--out", out)
    done = invoke(*command, "--pictures", "3-attic,1-hall", "--steps", 4, "--as", "html,strip")
    assert done.exit_code == 0, done.output
    assert "Median distance of neighbours: " in done.stdout
    assert f"In {out}: " in done.stdout
    record = json.loads((out / "interpolate.json").read_text(encoding="utf-8"))
    assert (record["pictures"], record["space"], record["steps"]) == (["3-attic", "1-hall"], "w+", 4)
    again = invoke(*command, "--steps", 2)  # it replaces its own folder
    assert again.exit_code == 0, again.output
    assert json.loads((out / "interpolate.json").read_text(encoding="utf-8"))["pictures"] == list(NAMES)
    grid = ("--codes", inverted, "--rows", "1-hall", "--layers", "4-7", "--out", tmp_path / "mix")
    mixed = invoke("morph", "mix", *GENERATOR, *grid)
    assert mixed.exit_code == 0, mixed.output
    assert "1 structure with 3 styles." in mixed.stdout
    other = invoke("morph", "mix", *GENERATOR, *grid[:-1], out)
    assert other.exit_code == 2
    assert "files that `ganstrata morph mix` did not write there" in " ".join(other.stderr.split())


def test_a_box_is_diffused_into_every_context(invoke, fakes, tmp_path: Path) -> None:
    generator = ganstrata.load_generator("fake_layers", device="cpu")
    codes = torch.randn(3, LAYERS, WIDTH, generator=torch.Generator().manual_seed(2))
    (tmp_path / "rooms").mkdir()
    for i, picture in enumerate(to_pixels(ganstrata.render(generator, codes))):
        place = tmp_path / "target.png" if i == 0 else tmp_path / f"rooms/{i}.png"
        place.write_bytes(png(picture))
    steps = ("--embed", "mean", "--refine", "w+", "--set", "w+.steps=30", "--set", "w+.rate=0.3")
    out = tmp_path / "out"
    command = ("morph", "diffuse", tmp_path / "target.png", tmp_path / "rooms", *GENERATOR, *steps)
    done = invoke(*command, "--perceptual", "none", "--box", "0,0,4,4", "--batch", 1, "--out", out)
    assert done.exit_code == 0, done.output
    assert {path.name for path in out.iterdir()} == {
        "diffuse.html", "diffuse.json", "grid.png", "codes.safetensors",
    }  # fmt: skip
    record = json.loads((out / "diffuse.json").read_text(encoding="utf-8"))
    assert len(record["psnr_in_the_box"]) == 2
    assert min(record["psnr_in_the_box"]) > max(record["psnr_outside_to_the_context"])
    assert record["steps"] == ["mean", "w+"]
    target = np.asarray(Image.open(tmp_path / "target.png")).astype(float)
    stored = read_inversion(out / "codes.safetensors", generator)
    made = to_pixels(ganstrata.render(generator, stored.inversion.codes, index=stored.index)).astype(float)
    error = ((made[:, :4, :4] - target[:4, :4]) ** 2).mean(axis=(1, 2, 3)) / 255.0**2
    np.testing.assert_allclose(-10 * np.log10(error), record["psnr_in_the_box"], atol=1.0)
    wrong = invoke(*command, "--perceptual", "none", "--box", "0,0,9,4", "--out", tmp_path / "wrong")
    assert wrong.exit_code == 2
    assert not (tmp_path / "wrong").exists()


def test_mistakes_are_told_before_anything_is_computed(invoke, inverted: Path, tmp_path: Path) -> None:
    out = ("--out", tmp_path / "out")
    for arguments, message in (
        (
            ("interpolate", *GENERATOR, *out),
            "--seeds samples of the generator, such as 0-3; give one of them",
        ),
        (("interpolate", *GENERATOR, "--seeds", "0-1", "--as", "film", *out), "'film' is not an output"),
        (("interpolate", "--seeds", "0-1", *out), "give either --run RUN"),
        (("mix", *GENERATOR, "--seeds", "0-1", "--layers", "all", *out), "these are all layers"),
    ):
        refused = invoke("morph", *arguments)
        assert refused.exit_code == 2, refused.output
        assert message in " ".join(refused.stderr.split())
    assert not (tmp_path / "out").exists()
