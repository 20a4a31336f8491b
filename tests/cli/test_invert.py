"""`ganstrata invert` from files to a folder, and what it refuses."""

import json

import numpy as np
import pytest
from PIL import Image

QUICK = ("--generator", "bundled:rooms", "--embed", "mean", "--refine", "none", "--device", "cpu")


@pytest.fixture
def photographs(tmp_path):
    folder = tmp_path / "photographs"
    folder.mkdir()
    draw = np.random.default_rng(0)
    for name, size in (("one.png", (40, 60)), ("two.jpg", (64, 64))):
        Image.fromarray(draw.integers(0, 256, (*size, 3), dtype=np.uint8)).save(folder / name)
    return folder


def test_a_folder_of_pictures_is_inverted_and_the_same_command_does_nothing(invoke, photographs, tmp_path):
    out = tmp_path / "out"
    command = ("invert", photographs, *QUICK, "--out", out)
    done = invoke(*command)
    assert done.exit_code == 0, done.output
    assert "one: PSNR" in done.output
    assert "two: PSNR" in done.output
    assert "perceptual distance" in done.output
    assert f"Page: {out / 'inversion.html'}" in done.output
    index = json.loads((out / "invert.json").read_text(encoding="utf-8"))
    assert index["finished"] is True
    assert index["distance"].startswith("1 MSE + 0.1 perceptual(attribute bundled:rooms ")
    assert [one["fit"]["rule"] for one in index["pictures"]] == ["centre", "centre"]
    assert "1 m" not in index["pictures"][0]["notes"]
    page = (out / "inversion.html").read_text(encoding="utf-8")
    assert "Reconstruction" in page
    assert "enlarged 1.6 times" in page
    assert page.count("<li>crop centre: ") == 1  # the other one has the size of the generator
    assert "Filled in" not in page
    assert f"FOLDER is the one of this page, {out.name}" in page
    again = invoke(*command)
    assert again.exit_code == 0, again.output
    assert "2 pictures already there, of the same command" in again.output
    other = invoke(*command, "--seed", 3)
    assert other.exit_code == 2
    assert "pictures of another command: seed: 0 there, 3 here. Give another --out" in other.output


REFUSED = {
    "no source": (
        ("--generator", None),
        "give either --run RUN, whose generator is used, or --generator FILE",
    ),
    "both": (("--run", "runs/none"), "not both"),
    "setting": (
        ("--set", "w+.steps=3"),
        "--set w+.steps=3: write it as NAME.FIELD=VALUE; the names here are mean",
    ),
    "no field": (("--set", "mean"), "the names here are mean, distance.\n"),
    "no name": (("--embed", ""), "No inverter named ''."),
    "seed": (("--seed", 2**63), "is not a whole number from 0 to 9223372036854775807."),
    "value": (("--set", "distance.pixel=-1"), "distance -> pixel: "),
    "perceptual": (("--perceptual", "hue"), "perceptual distance 'hue' is unknown"),
    "crop": (("--crop", "center"), "Did you mean 'centre'?"),
    "weights": (("--set", "distance.pixel=0", "--perceptual", "none"), "all weights are 0"),
    "option": (("--generator", "bundled:rooms:truncation=1"), "truncation"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_does_not_fit_is_refused_before_anything_is_written(invoke, photographs, tmp_path, what):
    more, message = REFUSED[what]
    line = [*QUICK, *more]
    if None in line:
        line = line[2:-2]
    done = invoke("invert", photographs, *line, "--out", tmp_path / "out")
    assert done.exit_code == 2, done.output
    assert message in done.output
    assert not (tmp_path / "out").exists()


def test_files_that_are_no_pictures_are_refused(invoke, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    (tmp_path / "zero.png").touch()
    (tmp_path / "text.png").write_text("a picture, honestly")
    for what, message in (
        (empty, "has no pictures in it"),
        (tmp_path / "zero.png", "is empty (0 bytes)"),
        (tmp_path / "text.png", "text.png"),
        (tmp_path / "missing.png", "there is no such file"),
    ):
        done = invoke("invert", what, *QUICK, "--out", tmp_path / "out")
        assert done.exit_code == 2, done.output
        assert message in done.output
        assert not (tmp_path / "out").exists()


def test_the_folder_has_a_name_of_the_pictures_by_default(invoke, photographs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = invoke("invert", photographs / "one.png", photographs / "two.jpg", *QUICK, "--perceptual", "none")
    assert done.exit_code == 0, done.output
    assert (tmp_path / "inverted" / "one-and-1-more" / "invert.json").is_file()


@pytest.mark.parametrize(
    ("kind", "more", "folder"),
    [
        ("colourise", (), "colourised"),
        ("inpaint", ("--mask", "mask.png"), "inpainted"),
        ("super-resolve", ("--factor", 4), "super-resolved"),
        ("denoise", ("--noise", 0.1), "denoised"),
    ],
)
def test_restoration(invoke, photographs, tmp_path, monkeypatch, kind, more, folder):
    monkeypatch.chdir(tmp_path)
    mask = np.full((40, 60), 255, dtype=np.uint8)
    mask[10:20, 20:40] = 0
    Image.fromarray(mask).save("mask.png")
    done = invoke("restore", kind, photographs / "one.png", *QUICK, *more, "--spoil")
    assert done.exit_code == 0, done.output
    assert "PSNR to the truth" in done.output
    out = tmp_path / folder / "one"
    index = json.loads((out / "invert.json").read_text(encoding="utf-8"))
    assert index["kind"] == kind
    assert ("perceptual" in index["distance"]) == (kind != "denoise")
    page = (out / "inversion.html").read_text(encoding="utf-8")
    assert "Restored" in page
    assert "Difference from truth" in page
    assert ("Filled in" in page) == (kind == "inpaint")
    assert (out / "pictures" / "one.filled.png").exists() == (kind == "inpaint")
    again = invoke("restore", kind, photographs / "one.png", *QUICK, *more)
    assert again.exit_code == 0, again.output
    assert "PSNR to the truth" not in again.output  # what was computed with a truth is not taken for this
    assert "Truth" not in (out / "inversion.html").read_text(encoding="utf-8")


def test_a_mask_of_another_size_is_refused(invoke, photographs, tmp_path):
    Image.new("L", (30, 20), 255).save(tmp_path / "mask.png")
    line = ("restore", "inpaint", photographs / "one.png", *QUICK, "--mask", tmp_path / "mask.png")
    refused = invoke(*line, "--out", tmp_path / "out")
    assert refused.exit_code == 2
    assert "has 30 x 20 px (width x height), and its picture 60 x 40 px" in refused.output
    assert not (tmp_path / "out").exists()
    done = invoke(*line, "--resize-mask", "--perceptual", "none", "--out", tmp_path / "out")
    assert done.exit_code == 0, done.output


def test_an_interrupted_command_says_how_to_go_on(invoke, photographs, tmp_path, monkeypatch):
    from ganstrata.core.inversion import invert as module

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, "invert_batch", interrupt)
        done = invoke("invert", photographs, *QUICK, "--perceptual", "none", "--out", tmp_path / "out")
    assert done.exit_code == 130
    assert "The pictures that are done are kept; run the same command again, which goes on." in done.output
    assert not (tmp_path / "out" / "codes.safetensors").exists()
    again = invoke("invert", photographs, *QUICK, "--perceptual", "none", "--out", tmp_path / "out")
    assert again.exit_code == 0, again.output


def test_the_generator_the_seed_and_the_scorers_of_a_run_are_used(invoke, finished, tmp_path):
    Image.new("RGB", (8, 8), "#808080").save(tmp_path / "grey.png")
    line = ("invert", tmp_path / "grey.png", "--run", finished.path, "--embed", "mean", "--refine", "none")
    done = invoke(*line, "--out", tmp_path / "out")
    assert done.exit_code == 0, done.output
    index = json.loads((tmp_path / "out" / "invert.json").read_text(encoding="utf-8"))
    assert index["generator"] == finished.record.generator.fingerprint
    assert index["seed"] == finished.config.synthesis.seed
    named = invoke(*line, "--perceptual", "nothing", "--out", tmp_path / "other")
    assert named.exit_code == 2
    assert "the scorers of the run (" in named.output
