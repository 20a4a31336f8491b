"""`ganstrata trust`: codes, warnings, edits and consistency of inverted pictures of a run."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import ganstrata
import numpy as np
import pytest
import torch
from fakes import LAYERS, WIDTH
from ganstrata import Stream
from ganstrata.core.errors import GanstrataError, MismatchError, UserError
from ganstrata.core.figures.pictures import png, to_pixels
from ganstrata.core.inversion.trust.commands import perform
from ganstrata.core.inversion.trust.request import TrustRequest
from ganstrata.core.inversion.trust.result import Trust
from ganstrata.core.plugins.inverter import Inversion
from inverted_pictures import write_inverted
from torch import Tensor

NAMES = ("near", "far")
COMMAND = {
    "steps": ["mean", "w+"],
    "fields": {"mean": {}, "w+": {"steps": 25, "rate": 0.3}},
    "distance": "1 MSE",
    "seed": 0,
    "class": None,
}


def generator() -> ganstrata.Generator:
    return ganstrata.load_generator("fake_layers", device="cpu")


def sampled(n: int) -> Tensor:
    one = generator()
    latents = one.sample(n, 5, 0, Stream.TARGETS)
    return one.broadcast(one.map(latents.z))


def table(folder: Path, name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO((folder / f"{name}.csv").read_text(encoding="utf-8"))))


def written(folder: Path, codes: Tensor, names: tuple[str, ...], psnr: list[float], **record: Any) -> Path:
    pictures = [{"name": name, "measures": {"psnr": value}} for name, value in zip(names, psnr, strict=True)]
    said = {"kind": "inversion", "command": COMMAND, "pictures": pictures, **record}
    return write_inverted(folder, Inversion(codes), names, generator(), record=said)


def trusted(folder: Path, **options: Any) -> Trust:
    places = {key: options.pop(key) for key in ("run", "generator") if key in options}
    given = {"calibrate": 0, "consistency": 0, "perceptual": "none"} | options
    return perform(TrustRequest(folder, **given), device="cpu", **places)


def test_edits_of_pictures_made_by_a_linear_generator_are_as_faithful_as_can_be(
    fakes, copied: Path, tmp_path: Path
) -> None:
    codes = sampled(5)
    codes[:, 0] = 9.0  # far away where nothing is planted, which changes no score
    names = tuple(f"p{i}" for i in range(5))
    folder = written(tmp_path / "in", codes, names, [30.0] * 5)
    trust = trusted(folder, run=copied, along=("seen/red", "seen/left@1"), samples=20)
    assert trust.edits is not None
    assert trust.edits.names == ("seen/red", "seen/left")
    assert trust.edits.step == 2.0  # of the run's re-scoring
    for one in trust.edits.edits:
        assert (one.pictures, one.drawn) == (5, 20)
        assert one.ratio.value == pytest.approx(1.0, abs=0.02)
        assert one.ratio.low <= one.ratio.value <= one.ratio.high
    assert trust.edits.ratio.value == pytest.approx(1.0, abs=0.02)
    np.testing.assert_allclose(trust.codes.layers[:, 0], np.sqrt(9.0**2 / 4), rtol=0.1)
    assert (trust.codes.beyond < 0.05).all()
    rows = table(folder / "trust", "edits")
    assert [row["layers"] for row in rows] == ["all layers (0-7)", "layer 1"]
    assert len(table(folder / "trust", "pictures")) == 5
    page = (folder / "trust/trust.html").read_text(encoding="utf-8")
    assert "Edit faithfulness" in page
    record = json.loads((folder / "trust/trust.json").read_text(encoding="utf-8"))
    assert record["ratio"]["value"] == trust.edits.ratio.value
    assert record["warnings"] == {}
    assert set(record["files"]) == {"pictures.csv", "edits.csv", "trust.html"}
    assert trust.sentences[1].startswith("Edits change inverted pictures 1.0")


def test_by_default_pictures_are_moved_along_what_the_run_verified(
    fakes, copied: Path, tmp_path: Path
) -> None:
    folder = written(tmp_path / "in", sampled(2), NAMES, [30.0, 30.0])
    trust = trusted(folder, run=copied, samples=8, step=1.0, out=tmp_path / "out")
    verified = ganstrata.open_run(copied).effects.factor_names
    assert trust.edits is not None
    assert list(trust.edits.names) == list(verified)
    assert trust.edits.step == 1.0
    assert (tmp_path / "out/trust.json").is_file()


def test_warnings_are_raised_by_far_codes_and_bad_reconstructions(fakes, tmp_path: Path) -> None:
    codes = torch.stack([torch.zeros(LAYERS, WIDTH), torch.full((LAYERS, WIDTH), 20.0)])
    folder = written(tmp_path / "in", codes, NAMES, [3.0, 80.0])
    trust = trusted(folder, generator="fake_layers", calibrate=19)
    assert trust.warnings is not None
    assert trust.warnings.raised.tolist() == [[False, True], [True, False]]
    assert trust.warnings.code.rate == trust.warnings.error.rate == 0.05
    assert len(trust.warnings.samples) == len(trust.warnings.psnr) == 19
    assert trust.warnings.either == 0.0  # of 19 samples none is above the largest
    assert trust.edits is None
    rows = table(folder / "trust", "pictures")
    assert [(row["code_warning"], row["error_warning"]) for row in rows] == [("no", "yes"), ("yes", "no")]
    assert any("Out of the domain by its code: far." in line for line in trust.sentences)
    assert any("5.0 % are warned of (0.1 to 17.6 %)" in line for line in trust.sentences)


def test_an_edit_that_is_found_again_is_consistent(fakes, copied: Path, tmp_path: Path) -> None:
    folder = written(tmp_path / "in", 0.3 * sampled(3), ("a", "b", "c"), [30.0] * 3)
    trust = trusted(folder, run=copied, along=("seen/red",), samples=4, consistency=2)
    ((name, one),) = trust.consistency.items()
    assert name == "seen/red at all"
    assert one.pictures == 2
    assert one.repeat.low >= 0.0  # it is a distance
    assert 0.0 < one.repeat.value < 3.0
    assert 0.0 < one.gap.value < 3.0
    (row,) = table(folder / "trust", "consistency")
    assert float(row["gap"]) == pytest.approx(one.gap.value, rel=1e-4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"generator": "fake_layers", "calibrate": 5}, "5 inverted samples cannot give a warning with 5%"),
        ({"generator": "fake_layers", "along": ("seen/red",)}, "--along names boundaries of a run"),
        ({}, "give either --run RUN"),
        (
            {"generator": "fake_layers", "calibrate": 19, "settings": ("distance.pixel=2",)},
            "were compared by 1 MSE, and here it would be 2 MSE; give the --perceptual",
        ),
    ],
)
def test_what_cannot_be_measured_is_refused(
    fakes, tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    folder = written(tmp_path / "in", sampled(2), NAMES, [30.0, 30.0])
    with pytest.raises(UserError, match=message):
        trusted(folder, **options)
    assert not (folder / "trust").exists()


def test_folders_that_do_not_say_how_they_were_inverted_are_refused(fakes, tmp_path: Path) -> None:
    folder = written(tmp_path / "in", sampled(2), NAMES, [30.0, 30.0], kind="inpaint")
    with pytest.raises(UserError, match="these pictures were restored"):
        trusted(folder, generator="fake_layers", calibrate=19)
    alone = tmp_path / "alone/codes.safetensors"
    alone.parent.mkdir()
    alone.write_bytes((folder / "codes.safetensors").read_bytes())
    with pytest.raises(UserError, match="does not say how its pictures were inverted"):
        trusted(alone, generator="fake_layers", calibrate=19)
    assert trusted(alone, generator="fake_layers").names == NAMES
    broken = written(tmp_path / "broken", sampled(2), NAMES, [30.0, 30.0], command={"steps": ["mean"]})
    with pytest.raises(
        GanstrataError, match="does not say how its pictures were inverted; invert them again"
    ):
        trusted(broken, generator="fake_layers", calibrate=19)
    with pytest.raises(MismatchError):
        trusted(folder, generator="fake_grainy")


def test_what_was_inverted_from_files_is_measured_on_the_command_line(
    invoke, fakes, copied: Path, tmp_path: Path
) -> None:
    images = to_pixels(ganstrata.render(generator(), sampled(3)))
    (tmp_path / "photos").mkdir()
    for i, picture in enumerate(images):
        (tmp_path / f"photos/{i}.png").write_bytes(png(picture))
    options = ("--embed", "mean", "--refine", "w+", "--set", "w+.steps=8", "--perceptual", "none", "--quiet")
    result = invoke("invert", tmp_path / "photos", "--run", copied, *options, "--out", tmp_path / "in")
    assert result.exit_code == 0, result.stderr
    few = ("--samples", 8, "--calibrate", 19, "--consistency", 1, "--perceptual", "none", "--quiet")
    result = invoke("trust", tmp_path / "in", "--run", copied, "--along", "seen/red", *few)
    assert result.exit_code == 0, result.stderr
    assert "Out of the domain by its code" in result.stdout
    assert f"Page: {tmp_path / 'in/trust/trust.html'}" in result.stdout
    again = invoke("invert", tmp_path / "photos", "--run", copied, *options, "--out", tmp_path / "in")
    assert again.exit_code == 0, again.stderr  # the folder of the pictures is as it was
