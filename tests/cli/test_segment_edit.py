"""`ganstrata segment edit` and `segment sample`: from files that people paint on to pictures that follow."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ganstrata.cli.segment_agreement import agreement_command
from ganstrata.cli.segment_edit import edit_command, sample_command
from ganstrata.core.interchange.codes import read_codes
from ganstrata.core.semantics.annotation.legend import read_legend
from ganstrata.core.semantics.painting.edit_stage import PaintRequest
from ganstrata.core.storage.disk import file_hash
from ganstrata.core.storage.seal import read_sealed, sealed_text
from ganstrata.core.strata.code_search import Renderer, Search
from PIL import Image
from segment_folders import CONFIG, Invoke, trained


@pytest.fixture
def segmentation(invoke: Invoke, tmp_path: Path) -> Path:
    """A trained segmentation folder of the fake generator."""
    return trained(invoke, tmp_path)


@pytest.fixture
def canvas(invoke: Invoke, segmentation: Path, tmp_path: Path) -> Path:
    """The files of sample 3 that are to be painted on."""
    result = invoke("segment", "edit", segmentation, "--sample", 3, "--out", tmp_path / "paint", "--quiet")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith(f"In {tmp_path / 'paint'}: picture.png")
    return tmp_path / "paint"


def _strokes(canvas: Path, name: str = "strokes.png") -> Path:
    """Paint a bed onto the lower half if there is a sofa, and the other way round."""
    labels = np.asarray(Image.open(canvas / "labels.png"))
    legend = read_legend(canvas / "classes.json")
    half = labels.shape[0] // 2
    sofa, bed = legend.names.index("sofa"), legend.names.index("bed")
    rgba = np.zeros((*labels.shape, 4), np.uint8)
    rgba[half:] = (*legend.colours[bed if (labels[half:] == sofa).mean() > 0.5 else sofa], 255)
    Image.fromarray(rgba).save(canvas / name)
    return canvas / name


def test_files_to_paint_on_are_written_and_painted_strokes_edit_the_picture(
    invoke: Invoke, segmentation: Path, canvas: Path, tmp_path: Path
) -> None:
    assert {path.name for path in canvas.iterdir()} == {
        "picture.png", "labels.png", "classes.json", "classes.png", "paint.json",
    }  # fmt: skip
    out, strokes = tmp_path / "edited", _strokes(canvas)
    result = invoke(
        "segment", "edit", segmentation, "--sample", 3, "--strokes", strokes, "--steps", 12,
        "--learning-rate", 0.3, "--out", out, "--quiet",
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    assert f"Page: {out / 'edit.html'}" in result.stdout
    record = json.loads((out / "edit.json").read_text(encoding="utf-8"))
    assert set(record["files"]) == {path.name for path in out.iterdir()} - {"edit.json"}
    assert len(record["losses"]) == 13
    assert record["losses"][-1] < record["losses"][0]
    assert (
        np.asarray(Image.open(out / "before.png")) == np.asarray(Image.open(canvas / "picture.png"))
    ).all()
    change = record["changes"]["extractor"]
    assert change["wanted_before"] == 0.0
    labels = np.asarray(Image.open(out / "labels_after_extractor.png"))
    target = np.asarray(Image.open(out / "target.png"))
    painted = target != np.asarray(Image.open(canvas / "labels.png"))
    assert (labels == target)[painted].mean() == pytest.approx(change["wanted_after"])
    assert record["painted_pixels"] == painted.sum()
    page = (out / "edit.html").read_text(encoding="utf-8")
    assert page.count("<img") == 4 + 3 + 2
    again = tmp_path / "again"
    invoke(
        "segment", "edit", segmentation, "--sample", 3, "--strokes", strokes, "--steps", 12,
        "--learning-rate", 0.3, "--out", again, "--quiet",
    )  # fmt: skip
    assert (np.load(again / "codes.npy") == np.load(out / "codes.npy")).all()
    assert np.load(out / "codes.npy").ndim == 3


def test_edits_and_samples_are_computed_in_the_precision_of_the_config(
    invoke: Invoke, segmentation: Path, canvas: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: set[str] = set()
    rendered = Renderer.render
    monkeypatch.setattr(
        Renderer,
        "render",
        lambda self, codes, **named: used.add(self.precision) or rendered(self, codes, **named),
    )
    index = segmentation / "segmentation.json"
    content = read_sealed(index.read_bytes())
    content["config"]["precision"] = "bf16"
    index.write_text(sealed_text(content), encoding="utf-8")
    for name, *options in (
        ("paint", "--sample", 3),
        ("edit", "--sample", 3, "--strokes", _strokes(canvas)),
        ("sample", "--mask", _strokes(canvas), "-n", 1),
    ):
        out = tmp_path / f"half_{name}"
        command = "edit" if name == "paint" else name
        result = invoke("segment", command, segmentation, *options, "--steps", 1, "--out", out, "--quiet")
        assert result.exit_code == 0, result.stderr
        record = json.loads((out / f"{name}.json").read_text(encoding="utf-8"))
        assert record["provenance"]["environment"]["precision"] == "bf16"
        assert used == {"bf16"}
        used.clear()


def test_a_teacher_that_changed_since_the_training_is_told_and_recorded(
    invoke: Invoke, segmentation: Path, canvas: Path, tmp_path: Path, change_teacher: Callable[[], str]
) -> None:
    changed_teacher = change_teacher()
    for name, *options in (
        ("edit", "--sample", 3, "--strokes", _strokes(canvas)),
        ("sample", "--mask", _strokes(canvas), "-n", 1),
    ):
        out = tmp_path / name
        result = invoke("segment", name, segmentation, *options, "--steps", 1, "--out", out)
        assert result.exit_code == 0, result.stderr
        assert f"{segmentation}: since its training, {changed_teacher}" in result.stderr
        record = json.loads((out / f"{name}.json").read_text(encoding="utf-8"))
        assert record["changed_since_training"] == [changed_teacher]
        assert record["extractors_sha256"] == {"seg": file_hash(segmentation / "extractor.safetensors")}
        assert (record["seed"], record["teacher"]) == (0, "fake_regions")


def test_the_defaults_of_the_library_are_those_of_the_command_line() -> None:
    for command in (edit_command, sample_command, agreement_command):
        defaults = {option.name: option.default for option in command.params}
        search = Search()
        assert defaults["steps"] == search.steps
        assert defaults["learning_rate"] == search.learning_rate
        assert defaults.get("penalty", search.stay) == search.stay == search.prior
    assert {option.name: option.default for option in edit_command.params}["emphasis"] == (
        PaintRequest(0, Path("strokes.png")).emphasis
    )


def test_it_is_said_that_nothing_was_reached(
    invoke: Invoke, segmentation: Path, canvas: Path, tmp_path: Path
) -> None:
    result = invoke(
        "segment", "edit", segmentation, "--sample", 3, "--strokes", _strokes(canvas), "--steps", 0,
        "--out", tmp_path / "edited", "--quiet",
    )  # fmt: skip
    assert "By the extractor, 0 % of the painted pixels have the wanted class" in result.stdout
    assert "Nothing was reached." in result.stdout
    assert "--space w+" in result.stdout


def test_colours_edit_too(invoke: Invoke, segmentation: Path, canvas: Path, tmp_path: Path) -> None:
    out = tmp_path / "edited"
    result = invoke(
        "segment", "edit", segmentation, "--sample", 3, "--strokes", _strokes(canvas), "--steps", 6,
        "--by", "colour", "--space", "layers", "--learning-rate", 0.05, "--out", out, "--quiet",
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    record = json.loads((out / "edit.json").read_text(encoding="utf-8"))
    assert record["losses"][-1] < record["losses"][0]
    assert record["changes"]["teacher"]["wanted_after"] is None
    assert not (out / "target.png").exists()


def test_a_teacher_without_gradients_is_refused(
    invoke: Invoke, segmentation: Path, canvas: Path, tmp_path: Path
) -> None:
    result = invoke(
        "segment", "edit", segmentation, "--sample", 3, "--strokes", _strokes(canvas), "--by", "teacher",
        "--out", tmp_path / "edited", "--quiet",
    )  # fmt: skip
    assert result.exit_code == 2
    assert "gives no gradients" in result.stderr
    assert not (tmp_path / "edited").exists()


def test_a_mask_gives_pictures_that_have_it(
    invoke: Invoke, segmentation: Path, canvas: Path, tmp_path: Path
) -> None:
    mask, out = _strokes(canvas), tmp_path / "sampled"
    result = invoke(
        "segment", "sample", segmentation, "--mask", mask, "-n", 3, "--candidates", 4, "--steps", 10,
        "--learning-rate", 0.1, "--out", out, "--quiet",
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    record = json.loads((out / "sample.json").read_text(encoding="utf-8"))
    assert len(record["pictures"]) == 3
    for i, picture in enumerate(record["pictures"]):
        assert i * 4 <= picture["sample"] < (i + 1) * 4
    labels = [np.asarray(Image.open(path)) for path in sorted(out.glob("labels_*.png"))]
    target = np.asarray(Image.open(out / "mask.png"))
    for picture, found in zip(record["pictures"], labels, strict=True):
        assert (found == target)[target != 255].mean() == pytest.approx(picture["accuracy"])
    assert np.load(out / "codes.npy").shape[0] == 3
    assert sorted(path.name for path in out.glob("picture_*.png")) == [f"picture_00{i}.png" for i in range(3)]
    assert (out / "sample.html").read_text(encoding="utf-8").count("<img") == 1 + 2 * 3


def test_what_is_undefined_is_not_a_number_anywhere(invoke: Invoke, tmp_path: Path) -> None:
    """Everything is painted, or nothing but background is wanted."""
    (tmp_path / "segment.yaml").write_text(
        CONFIG + "extractor: {classes: [bed], strata: [0, 7]}\n", encoding="utf-8"
    )
    seg = tmp_path / "seg"
    assert invoke("segment", "train", tmp_path / "segment.yaml", "--out", seg, "--quiet").exit_code == 0
    canvas = tmp_path / "paint"
    assert invoke("segment", "edit", seg, "--sample", 1, "--out", canvas).exit_code == 0
    size = np.asarray(Image.open(canvas / "labels.png")).shape[::-1]
    Image.new("L", size, 0).save(tmp_path / "background.png")
    Image.new("L", size, 1).save(tmp_path / "bed.png")
    said = {}
    for name, *options in (
        ("sample", "--mask", tmp_path / "background.png", "-n", 2, "--candidates", 9),
        ("edit", "--strokes", tmp_path / "bed.png", "--sample", 1),
    ):
        out = tmp_path / name
        result = invoke("segment", name, seg, *options, "--steps", 0, "--out", out, "--quiet")
        assert result.exit_code == 0, result.stderr
        said[name] = result.stdout
        assert "NaN" not in (out / f"{name}.json").read_text(encoding="utf-8")
    assert "nan" not in "".join(said.values())
    assert "there are no others" in said["edit"]
    pictures = json.loads((tmp_path / "sample" / "sample.json").read_text(encoding="utf-8"))["pictures"]
    assert ("mIoU" in said["sample"]) == all(picture["miou"] is not None for picture in pictures)


def test_codes_are_read_by_manipulate(
    invoke: Invoke, segmentation: Path, canvas: Path, tmp_path: Path
) -> None:
    out = tmp_path / "sampled"
    invoke(
        "segment", "sample", segmentation, "--mask", _strokes(canvas), "-n", 2, "--candidates", 1,
        "--steps", 0, "--out", out, "--quiet",
    )  # fmt: skip
    codes = read_codes(out / "codes.npy", layers=8, size=np.load(out / "codes.npy").shape[2])
    assert codes.shape == np.load(out / "codes.npy").shape


def test_paint_that_does_not_fit_is_refused_and_nothing_is_written(
    invoke: Invoke, segmentation: Path, canvas: Path, tmp_path: Path
) -> None:
    out = tmp_path / "edited"

    def refused(strokes: Path, *options: object, code: int = 2) -> str:
        result = invoke(
            "segment", "edit", segmentation, "--sample", 3, "--strokes", strokes, "--steps", 1,
            "--out", out, "--quiet", *options,
        )  # fmt: skip
        assert result.exit_code == code, result.stderr
        assert not out.exists()
        return result.stderr

    labels = np.asarray(Image.open(canvas / "labels.png"))
    Image.fromarray(labels).resize((7, 9)).save(canvas / "small.png")
    assert f"is 7 x 9 pixels (width x height); {labels.shape[1]} x {labels.shape[0]}" in refused(
        canvas / "small.png"
    )
    assert "has its class already" in refused(canvas / "labels.png")
    Image.new("RGBA", labels.shape[::-1]).save(canvas / "empty.png")
    assert "nothing is painted on it" in refused(canvas / "empty.png")
    assert "nothing is painted on it" in refused(canvas / "picture.png", "--by", "colour")
    assert "cannot read the mask" in refused(canvas / "none.png")
    assert "of no class" in refused(canvas / "picture.png")
    Image.fromarray(np.full_like(labels, 77)).save(canvas / "values.png")
    assert "have the value 77" in refused(canvas / "values.png")
    (canvas / "classes.json").write_text("{}", encoding="utf-8")
    assert "classes: is missing" in refused(canvas / "labels.png")


def test_folders_with_other_files_and_folders_that_are_none_are_refused(
    invoke: Invoke, segmentation: Path, canvas: Path, tmp_path: Path
) -> None:
    (canvas / "mine.txt").write_text("keep", encoding="utf-8")
    result = invoke("segment", "edit", segmentation, "--sample", 1, "--out", canvas, "--quiet")
    assert result.exit_code == 2
    assert "mine.txt" in result.stderr
    assert (canvas / "mine.txt").read_text(encoding="utf-8") == "keep"
    result = invoke("segment", "edit", tmp_path, "--sample", 1, "--out", tmp_path / "x", "--quiet")
    assert result.exit_code == 2
    assert "is not a segmentation folder" in result.stderr
    result = invoke("segment", "edit", segmentation, "--sample", -1, "--out", tmp_path / "x")
    assert result.exit_code == 2
