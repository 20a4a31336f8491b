"""`ganstrata segment eval`: from segmentation folders to tables, figures and a page, or a clear refusal."""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from ganstrata.core.storage.disk import file_hash
from ganstrata.core.storage.result_folder import faults_of

CONFIG = """
generator: {use: fake_layers}
teacher: {use: fake_regions}
training: {images: 50, batch_size: 8}
device: cpu
"""


@pytest.fixture
def trained(invoke: Callable[..., Result], tmp_path: Path) -> Callable[..., Path]:
    """trained(name, "extractor.head=NSE-1", ...) trains an extractor into a folder of that name."""
    config = tmp_path / "segment.yaml"
    config.write_text(CONFIG, encoding="utf-8")

    def train(name: str, *changes: str) -> Path:
        sets = [part for change in changes for part in ("--set", change)]
        result = invoke("segment", "train", config, "--out", tmp_path / name, "--quiet", *sets)
        assert result.exit_code == 0, result.output
        return tmp_path / name

    return train


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_extractors_are_compared_in_tables_figures_and_a_page(invoke, trained, tmp_path):
    lse = trained("lse", "training.layerwise_loss=0.1")
    nse = trained("nse", "extractor.head=NSE-2")
    out = tmp_path / "out"
    result = invoke("segment", "eval", lse, nse, "--images", "40", "--out", out, "--select", "0.1")
    assert result.exit_code == 0, result.output
    assert "lse agrees with the teacher by a mean IoU of" in result.stdout
    assert "the best nonlinear extractor, nse" in result.stdout
    assert "How right the teacher is is not known" in result.stdout
    assert f"Page: {out / 'evaluation.html'}" in result.stdout
    assert faults_of(out, "evaluation.json") == []
    extractors = rows(out / "extractors.csv")
    assert [(row["extractor"], row["head"], row["images"]) for row in extractors] == [
        ("lse", "LSE", "40"),
        ("nse", "NSE-2", "40"),
    ]
    for row in extractors:
        for name in ("miou_per_image", "miou_pooled", "pixel_accuracy"):
            low, value, high = (float(row[f"{name}{end}"]) for end in ("_low", "", "_high"))
            assert 0.0 <= low <= value <= high <= 1.0
    assert float(extractors[1]["gap_per_image"]) == 0.0
    ratio = float(extractors[0]["miou_pooled"]) / float(extractors[1]["miou_pooled"]) - 1.0
    assert float(extractors[0]["gap_pooled"]) == pytest.approx(ratio, abs=1e-4)
    strata = rows(out / "strata.csv")
    assert {row["extractor"] for row in strata} == {"lse"}
    assert len(strata) == 8 * 5  # strata, classes and their mean
    index = json.loads((out / "evaluation.json").read_text(encoding="utf-8"))
    chosen = index["selection"]["classes"]
    assert "wall" in chosen
    assert sorted([*chosen, *index["selection"]["left_out"]]) == ["bed", "lamp", "sofa", "wall"]
    assert f"extractor: {{classes: {json.dumps(chosen)}}}" in result.stdout
    page = (out / "evaluation.html").read_text(encoding="utf-8")
    for part in ("trained with layer-wise loss", "mIoU per image", "mIoU pooled", "data:image/png;base64,"):
        assert part in page
    assert "http" not in re.sub(r'xmlns="[^"]*"', "", page)  # it opens offline


def test_the_index_says_what_the_numbers_stand_on(invoke, trained, tmp_path, change_teacher):
    lse, nse, out = trained("lse"), trained("nse", "extractor.head=NSE-2"), tmp_path / "out"
    changed_teacher = change_teacher()
    result = invoke("segment", "eval", lse, nse, "--images", "8", "--out", out)
    assert result.exit_code == 0, result.output
    index = json.loads((out / "evaluation.json").read_text(encoding="utf-8"))
    assert index["extractors_sha256"] == {
        folder.name: file_hash(folder / "extractor.safetensors") for folder in (lse, nse)
    }
    assert (index["seed"], index["teacher"]) == (0, "fake_regions")
    assert index["provenance"]["generator"]["name"] == "fake_layers"
    assert index["changed_since_training"] == [changed_teacher, f"{nse}: {changed_teacher}"]


def test_the_table_of_classes_follows_from_the_mean(invoke, trained, tmp_path):
    lse = trained("lse")
    result = invoke("segment", "eval", lse, "--images", "24", "--quiet")
    assert result.exit_code == 0, result.output
    out = lse / "evaluation"  # the default
    values = [float(row["iou_per_image"]) for row in rows(out / "classes.csv") if row["iou_per_image"]]
    mean = float(rows(out / "extractors.csv")[0]["miou_per_image"])
    assert sum(values) / len(values) == pytest.approx(mean, abs=1e-5)
    wide = rows(out / "table_5.csv")[0]
    assert float(wide["mean"]) == pytest.approx(100 * mean, abs=0.01)
    assert "No nonlinear extractor was given" in result.stdout
    assert rows(out / "extractors.csv")[0]["gap_per_image"] == ""


def test_the_same_call_gives_the_same_and_replaces_only_its_own(invoke, trained, tmp_path):
    lse, out = trained("lse"), tmp_path / "out"
    assert invoke("segment", "eval", lse, "--images", "16", "--out", out).exit_code == 0
    first = {path.name: path.read_bytes() for path in out.iterdir()}
    assert invoke("segment", "eval", lse, "--images", "16", "--out", out).exit_code == 0
    assert {path.name: path.read_bytes() for path in out.iterdir()} == first
    (out / "classes.csv").write_text("mine", encoding="utf-8")
    result = invoke("segment", "eval", lse, "--images", "16", "--out", out)
    assert result.exit_code == 2
    assert "classes.csv" in result.stderr
    assert (out / "classes.csv").read_text(encoding="utf-8") == "mine"


def test_the_background_is_shown_but_in_no_mean(invoke, trained, tmp_path):
    lse = trained("lse", "extractor.classes=[wall, lamp]")
    out = tmp_path / "out"
    assert invoke("segment", "eval", lse, "--images", "16", "--out", out).exit_code == 0
    found = {row["class"]: row for row in rows(out / "classes.csv")}
    assert list(found) == ["background", "wall", "lamp"]
    assert found["background"]["remark"] == "not in means"
    mean = float(rows(out / "extractors.csv")[0]["miou_per_image"])
    counted = [
        float(found[name]["iou_per_image"]) for name in ("wall", "lamp") if found[name]["iou_per_image"]
    ]
    assert sum(counted) / len(counted) == pytest.approx(mean, abs=1e-5)


def _refused(result: Result, words: str, out: Path) -> None:
    assert result.exit_code == 2, result.output
    assert words in result.stderr
    assert "Traceback" not in result.output
    assert not out.exists()


def test_folders_that_cannot_be_compared_are_refused(invoke, trained, tmp_path):
    lse, out = trained("lse"), tmp_path / "out"
    other = trained("other", "generator.with={gain: 0.04}")
    _refused(
        invoke("segment", "eval", lse, other, "--out", out), f"{other} and {lse} cannot be compared", out
    )
    fewer = trained("fewer", "extractor.classes=[wall, bed]")
    _refused(invoke("segment", "eval", lse, fewer, "--out", out), "they have other classes", out)
    _refused(invoke("segment", "eval", lse, lse, "--out", out), "given more than once", out)


def test_what_is_no_segmentation_folder_is_refused(invoke, trained, tmp_path):
    out, empty = tmp_path / "out", tmp_path / "empty"
    empty.mkdir()
    _refused(invoke("segment", "eval", empty, "--out", out), "is not a segmentation folder", out)
    lse = trained("lse")
    damaged = Path(shutil.copytree(lse, tmp_path / "damaged"))
    (damaged / "extractor.safetensors").write_bytes(b"nothing")
    _refused(invoke("segment", "eval", damaged, "--out", out), "damaged", out)
    for number in ("1", "many", "-3"):
        _refused(invoke("segment", "eval", lse, "--images", number, "--out", out), number, out)
    _refused(invoke("segment", "eval", lse, "--select", "1.5", "--out", out), "1.5", out)


def test_folders_of_the_same_name_are_told_apart(invoke, trained, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first, second = trained("a/lse"), trained("b/lse", "training.seed=1")
    out = tmp_path / "out"
    assert invoke("segment", "eval", first, second, "--images", "8", "--out", out).exit_code == 0
    assert [row["extractor"] for row in rows(out / "extractors.csv")] == [str(first), str(second)]
