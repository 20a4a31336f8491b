"""`ganstrata manipulate`: what it prints, and that a mistake is reported and writes nothing."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest


def contents_of(folder: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file() and file.name != "run.lock"
    }


def test_the_output_lists_steps_files_and_folder(invoke, copied: Path) -> None:
    result = invoke(
        "manipulate", copied, "--along", "seen/red:2@top", "--along", "seen/left", "--seeds", "0", "--quiet"
    )
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    lines = result.stdout.splitlines()
    assert lines[0] == "seen/red, top layers (6-7), steps in standard deviations of w: -2.00 +0.00 +2.00"
    assert lines[1] == "seen/left, all layers (0-7), steps in standard deviations of w: -3.00 +0.00 +3.00"
    folder = copied / "manipulations/seen.red.top+seen.left.independent.to-2_end.seeds-0"
    assert (
        lines[2] == f"In {folder}: steps.csv, scores.csv, seen.red.top.png, seen.left.all.png, "
        "manipulate.html, manipulate.json"
    )
    assert (folder / "manipulate.html").is_file()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--along", "seen/rde"), "seen/rde: no boundary has this name. Did you mean 'seen/red'?"),
        (("--along", "seen/red", "--mode", "jont"), "Did you mean 'joint'?"),
        (("--along", "seen/red", "--as", "strip, flim"), "'flim' is no output"),
        (("--along", "seen/red", "--seeds", ""), "'' is neither a number nor a range"),
        (("--along", "seen/red", "--device", "meta"), "run.json with --device meta: one fault"),
        (("--along", "seen/red", "--seeds", "5-1"), "'5-1' is neither a number nor a range"),
        (("--along", "seen/red", "--codes", "none.npy"), "--codes none.npy: there is no such file"),
        (("--along", "seen/red", "--steps", "0"), "0 is not a whole number from 1 to 1000"),
        (("--along", "seen/red", "--codes-as", "code"), "--codes-as code says what the codes of a file are"),
        (("--along", "seen/red", "--device", "abacus"), "abacus"),
        ((), "Missing option '--along'"),
    ],
)
def test_wrong_arguments_are_explained_and_nothing_is_written(
    invoke, copied: Path, arguments: tuple[str, ...], words: str
) -> None:
    before = contents_of(copied)
    result = invoke("manipulate", copied, *arguments)
    assert result.exit_code == 2, result.output
    assert words in result.stderr
    assert "Traceback" not in result.output
    assert contents_of(copied) == before


def test_films_without_their_library_are_refused_before_rendering(
    invoke, copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    before = contents_of(copied)
    result = invoke("manipulate", copied, "--along", "seen/red", "--as", "mp4")
    assert result.exit_code == 2
    assert "pip install 'ganstrata[video]'" in result.stderr
    assert contents_of(copied) == before
