"""`ganstrata analysis`: what it prints, and that a mistake is reported and writes nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ganstrata.core.storage.disk import file_hash
from ganstrata.core.storage.seal import sealed_text


def bytes_of(run: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(run)): file.read_bytes()
        for file in run.rglob("*")
        if file.is_file() and file.name != "run.lock"
    }


def test_the_output_has_the_findings_and_the_folder(invoke, refurnished: Path) -> None:
    run = refurnished
    result = invoke(
        "analysis",
        "objects",
        run,
        "--along",
        "seen/red",
        "--along",
        "seen/left",
        "--layers",
        "all",
        "--samples",
        24,
        "--step",
        4,
        "--quiet",
    )
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    lines = result.stdout.splitlines()
    assert (
        "24 fresh samples moved along seen/red, then from there along seen/left, "
        "4 standard deviations of w each, at all layers;" in lines[0]
    )
    assert "Hop 1, along seen/red" in lines
    assert "Hop 2, along seen/left" in lines
    assert "sofa to bed 1.00 [1.00, 1.00]" in result.stdout
    assert str(run / "report.html") in lines[-1]
    page = (run / "report.html").read_text(encoding="utf-8")
    assert 'id="objects"' in page
    assert "24 fresh samples moved along seen/red" in page


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--along", "seen/rde"), "boundary seen/rde: no boundary has this name. Did you mean 'seen/red'?"),
        (("--along", "seen/rde", "--along", "x"), "2 faults"),
        (("--along", "seen/red", "--segmenter", "region"), "Did you mean 'regions'? There is regions"),
        (("--along", "seen/red", "--layers", "loewr"), "'loewr' names no layers. Did you mean 'lower'?"),
        (("--along", "seen/red", "--layers", "each"), "that is 8 layer sets; name one"),
        (("--along", "seen/red", "--layers", "5-9"), "there is no layer 9"),
        (("--along", "seen/red", "--step", "0"), "--step 0: give a length other than 0"),
        (("--along", "seen/red", "--step", "nan"), "nan is not a number from -1000000 to 1000000"),
        (("--along", "seen/red", "--samples", "0"), "0 is not a whole number from 1 to "),
        (
            ("--along", "seen/red", "--start", "seen/rde"),
            "there is no such concept. Did you mean 'seen/red'?",
        ),
        (("--along", "seen/red", "--start", "seen/half"), "has no threshold"),
        (
            ("--along", "seen/red", "--start", "seen/constant", "--samples", "1"),
            "only 0 of 3200 samples have it, and 1 were requested",
        ),
        (("--along", "seen/red", "--device", "abacus"), "abacus"),
        ((), "Missing option '--along'"),
    ],
)
def test_wrong_arguments_are_explained_and_nothing_is_written(
    invoke, refurnished: Path, arguments: tuple[str, ...], words: str
) -> None:
    before = bytes_of(refurnished)
    result = invoke("analysis", "objects", refurnished, *arguments)
    assert result.exit_code == 2, result.output
    assert words in result.stderr
    assert "Traceback" not in result.output
    assert bytes_of(refurnished) == before


def test_a_run_without_a_segmenter_gets_advice(invoke, copied: Path) -> None:
    before = bytes_of(copied)
    result = invoke("analysis", "objects", copied, "--along", "seen/red")
    assert result.exit_code == 2
    assert "none of the scorers of this run is a segmenter (seen)" in result.stderr
    assert "use: segmentation" in result.stderr
    assert bytes_of(copied) == before


def test_the_error_about_an_unfinished_run_names_what_is_missing(invoke, refurnished: Path) -> None:
    manifest = json.loads((refurnished / "run.json").read_text(encoding="utf-8"))
    del manifest["stages"]["edit"]
    (refurnished / "run.json").write_text(sealed_text(manifest), encoding="utf-8")
    result = invoke("analysis", "objects", refurnished, "--along", "seen/red")
    assert result.exit_code == 2
    assert f"the stage `edit` is not complete; run `ganstrata edit {refurnished}` first" in result.stderr
    assert not (refurnished / "analysis").exists()


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [("space", "s", "lies in space s"), ("generator", "0" * 16, "was learnt for generator 0000")],
)
def test_boundaries_of_another_space_or_generator_are_refused(
    invoke, refurnished: Path, key: str, value: str, words: str
) -> None:
    boundaries, manifest_file = refurnished / "boundaries.json", refurnished / "run.json"
    content = json.loads(boundaries.read_text(encoding="utf-8"))
    for row in content["boundaries"]:
        row[key] = value
    boundaries.write_text(json.dumps(content), encoding="utf-8")
    manifest = json.loads(manifest_file.read_text(encoding="utf-8"))
    manifest["stages"]["learn"]["files"]["boundaries.json"] = file_hash(boundaries)
    manifest_file.write_text(sealed_text(manifest), encoding="utf-8")
    result = invoke("analysis", "objects", refurnished, "--along", "seen/red")
    assert result.exit_code == 2
    assert words in result.stderr
    assert not (refurnished / "analysis").exists()


def test_a_checkpoint_that_has_changed_is_refused(invoke, refurnished: Path) -> None:
    file = refurnished / "run.json"
    manifest = json.loads(file.read_text(encoding="utf-8"))
    manifest["checkpoints"]["regions"] = "0" * 64
    file.write_text(sealed_text(manifest), encoding="utf-8")
    result = invoke("analysis", "objects", refurnished, "--along", "seen/red")
    assert result.exit_code == 2
    assert "the checkpoint of regions is not the one that this run was made with" in result.stderr


def test_a_folder_without_a_run_is_refused(invoke, tmp_path: Path) -> None:
    result = invoke("analysis", "objects", tmp_path / "none", "--along", "x")
    assert result.exit_code == 2
    assert "is not a run directory" in result.stderr
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("ranking",), "seen/red"),
        (("hierarchy",), "mean depth"),
        (("entanglement", "--cluster"), "effects on other concepts go beyond null directions"),
        (("ablation", "--top", "2"), "held-out accuracy"),
        (("layers", "--concepts", "seen/red"), "the report has a chapter on it"),
    ],
)
def test_each_analysis_prints_a_table_and_says_where_it_wrote(
    invoke, refurnished: Path, arguments: tuple[str, ...], words: str
) -> None:
    name, *rest = arguments
    result = invoke("analysis", name, refurnished, *rest)
    assert result.exit_code == 0, result.output
    assert words in result.stdout
    assert f"In {refurnished / 'analysis' / name}" in result.stdout.splitlines()[-1]
    again = invoke("analysis", name, refurnished, *rest, "--quiet")
    assert (again.exit_code, again.output) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("ranking", "--concepts", "seen/rde"), "Did you mean 'seen/red'?"),
        (("ranking", "--layers", "3-4"), "were not re-scored together"),
        (("hierarchy", "--levels", "object"), "no boundary is of level object"),
        (("layers", "--levels", "light"), "there is no such level"),
        (("ablation", "--top", "0"), "0 is not a whole number from 1 to "),
    ],
)
def test_a_request_that_does_not_fit_the_run_writes_nothing(
    invoke, refurnished: Path, arguments: tuple[str, ...], words: str
) -> None:
    before = bytes_of(refurnished)
    name, *rest = arguments
    result = invoke("analysis", name, refurnished, *rest)
    assert result.exit_code == 2
    assert words in " ".join(result.stderr.split())
    assert "Traceback" not in result.output
    assert bytes_of(refurnished) == before
