"""`ganstrata manipulate`: what it prints, and that a mistake is reported and writes nothing."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from recipe_edits import changed, made


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
        (("--along", "seen/red", "--mode", "joimt"), "Did you mean 'joint'?"),
        (("--along", "seen/red", "--as", "strip, flim"), "'flim' is not a known output"),
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


def test_a_recipe_is_made_again_and_says_whether_it_is_the_same(invoke, copied: Path, tmp_path: Path) -> None:
    recipe = made(copied, truncation=0.8)
    file = tmp_path / "evening.json"
    file.write_text(recipe.text(), encoding="utf-8")
    result = invoke("manipulate", copied, "--recipe", file, "--out", tmp_path / "out", "--quiet")
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    lines = result.stdout.splitlines()
    assert lines[0] == "seen/red|seen/left, layers 6-7: moved by +1.50 standard deviations of w"
    assert lines[1] == "seen/left, all layers (0-7): moved by -1.00 standard deviations of w"
    assert lines[2] == "The picture has the same pixels as when the recipe was made."
    assert lines[3].startswith(f"In {tmp_path / 'out'}: picture.png, before.png, recipe.json, scores.csv")
    file.write_text(changed(recipe, "moves", 0, "by", to=1.0).text(), encoding="utf-8")
    result = invoke("manipulate", copied, "--recipe", file, "--quiet")
    assert result.exit_code == 0, result.output
    assert "of 64 pixels differ from the recipe, by at most" in result.stderr
    assert "same pixels" not in result.stdout
    (folder,) = (copied / "manipulations").iterdir()
    assert folder.name.startswith("recipe-")
    assert "manipulate.html" in {each.name for each in folder.iterdir()}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--along", "seen/red"), "says itself which picture is edited and how; leave out --along"),
        (("--seeds", "3", "--steps", "2"), "leave out --seeds, --steps"),
        (("--no-scores",), "leave out --scores"),
        (("--as", "strip"), "leave out --as"),
    ],
)
def test_a_recipe_stands_alone(invoke, copied: Path, tmp_path: Path, arguments, words: str) -> None:
    before = contents_of(copied)
    (tmp_path / "evening.json").write_text("{}")
    result = invoke("manipulate", copied, "--recipe", tmp_path / "evening.json", *arguments)
    assert result.exit_code == 2, result.output
    assert words in result.stderr
    assert contents_of(copied) == before


def test_what_is_no_recipe_is_explained_and_nothing_is_written(invoke, copied: Path, tmp_path: Path) -> None:
    before = contents_of(copied)
    for content, words in (
        ("{}", "format: is missing, so this is not a recipe of ganstrata"),
        ("[" * 100_000, "is nested far too deep"),
    ):
        (tmp_path / "evening.json").write_text(content)
        result = invoke("manipulate", copied, "--recipe", tmp_path / "evening.json")
        assert result.exit_code == 2, result.output
        assert words in result.stderr
        assert "Traceback" not in result.output
    result = invoke("manipulate", copied, "--recipe", tmp_path / "none.json")
    assert "there is no such file" in result.stderr
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
