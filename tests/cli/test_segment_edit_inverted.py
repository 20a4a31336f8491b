"""`ganstrata segment edit --codes`: painting on a picture of the user."""

from __future__ import annotations

import json
from pathlib import Path

import ganstrata
import numpy as np
import pytest
import torch
from fakes import LAYERS, WIDTH
from ganstrata.core.figures.pictures import to_pixels
from ganstrata.core.plugins.inverter import Inversion
from ganstrata.core.semantics.annotation.legend import read_legend
from inverted_pictures import write_inverted
from PIL import Image
from segment_folders import Invoke, trained

NAMES = ("1-sofa", "2-beach")


@pytest.fixture
def segmentation(invoke: Invoke, tmp_path: Path) -> Path:
    """A trained segmentation folder of the fake generator, with two inverted pictures beside it."""
    path = trained(invoke, tmp_path)
    generator = ganstrata.load_generator("fake_layers", device="cpu")
    write_inverted(tmp_path / "inverted", Inversion(codes()), NAMES, generator)
    w = 2.0 * torch.ones(2, WIDTH)
    write_inverted(
        tmp_path / "in_w", Inversion(generator.broadcast(w), latent=w, space="w"), NAMES, generator
    )
    return path


def codes() -> torch.Tensor:
    return torch.randn(2, LAYERS, WIDTH, generator=torch.Generator().manual_seed(2))


def picture(values: torch.Tensor) -> np.ndarray:
    generator = ganstrata.load_generator("fake_layers", device="cpu")
    return to_pixels(ganstrata.render(generator, values))[0]


def test_an_inverted_picture_is_painted_on_and_edited(
    invoke: Invoke, segmentation: Path, tmp_path: Path
) -> None:
    edit = ("segment", "edit", segmentation, "--codes", tmp_path / "inverted", "--quiet")
    for wanted, row in (("2-beach", 1), ("0", 0)):
        result = invoke(*edit, "--sample", wanted, "--out", tmp_path / "paint")
        assert result.exit_code == 0, result.stderr
        shown = np.asarray(Image.open(tmp_path / "paint/picture.png"))
        assert (shown == picture(codes()[[row]])).all()
        record = json.loads((tmp_path / "paint/paint.json").read_text(encoding="utf-8"))
        assert (record["sample"], record["codes"]["from"]) == (NAMES[row], "inversion")
    labels = np.asarray(Image.open(tmp_path / "paint/labels.png"))
    legend = read_legend(tmp_path / "paint/classes.json")
    lower = labels[labels.shape[0] // 2, 0]
    other = legend.names.index("bed" if legend.names[lower] == "sofa" else "sofa")
    rgba = np.zeros((*labels.shape, 4), np.uint8)
    rgba[labels.shape[0] // 2 :] = (*legend.colours[other], 255)
    Image.fromarray(rgba).save(tmp_path / "paint/strokes.png")
    strokes = ("--strokes", tmp_path / "paint/strokes.png", "--steps", 3, "--learning-rate", 0.3)
    result = invoke(*edit, "--sample", "1-sofa", *strokes, "--out", tmp_path / "edited")
    assert result.exit_code == 0, result.stderr
    record = json.loads((tmp_path / "edited/edit.json").read_text(encoding="utf-8"))
    assert (record["sample"], record["space"]) == ("1-sofa", "w+")
    assert record["losses"][-1] < record["losses"][0]
    before = np.asarray(Image.open(tmp_path / "edited/before.png"))
    assert np.abs(before.astype(int) - picture(codes()[[0]])).max() <= 1  # through the units of w and back
    assert "1-sofa of" in (tmp_path / "edited/edit.html").read_text(encoding="utf-8")
    only = invoke(*edit, "--sample", "0", *strokes, "--only", "4-7", "--out", tmp_path / "only")
    assert only.exit_code == 0, only.stderr
    moved = np.load(tmp_path / "only/codes.npy")[0]
    np.testing.assert_array_equal(moved[:4], codes()[0, :4].numpy())
    assert np.abs(moved[4:] - codes()[0, 4:].numpy()).max() > 1e-3


def test_a_picture_is_found_by_name_or_number_and_in_a_space_that_it_has(
    invoke: Invoke, segmentation: Path, tmp_path: Path
) -> None:
    strokes = tmp_path / "strokes.png"
    Image.fromarray(np.zeros((8, 8, 4), np.uint8)).save(strokes)
    edit = ("segment", "edit", segmentation, "--out", tmp_path / "out", "--quiet")
    for options, message in (
        (("--codes", tmp_path / "inverted", "--sample", "sofa"), "has no picture 'sofa'"),
        (("--codes", tmp_path / "inverted", "--sample", 2), "holds 2 pictures, numbers 0 to 1"),
        (("--sample", "1-sofa"), "samples have numbers from 0 on; names are those of inverted pictures"),
        (
            ("--codes", tmp_path / "inverted", "--sample", 0, "--space", "z", "--strokes", strokes),
            "'1-sofa' was inverted in w+, and no z is known for it; give --space w+",
        ),
        (
            ("--codes", tmp_path / "in_w", "--sample", 0, "--space", "layers", "--strokes", strokes),
            "'1-sofa' was inverted in w, and no z is known for it; give --space w",
        ),
    ):
        result = invoke(*edit, *options)
        assert result.exit_code == 2, result.output
        assert message in " ".join(result.stderr.split())
    assert not (tmp_path / "out").exists()
