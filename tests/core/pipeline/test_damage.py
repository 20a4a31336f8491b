"""Damage to any file of a finished run (a flipped bit, cut, emptied, removed) is repaired or reported."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import ganstrata
import pytest
from click.testing import Result

KINDS = (
    "run.json",
    "samples.zarr/zarr.json",
    "samples.zarr/w/zarr.json",
    "samples.zarr/w/c/0/0",
    "samples.zarr/index/c/0",
    "samples.zarr/scores/zarr.json",
    "samples.zarr/scores/seen/zarr.json",
    "samples.zarr/scores/seen/c/0/0",
    "samples.zarr/done/0*.json",
    "samples.zarr/done/seen-*.json",
    "samples.zarr/done/stamp",
    "boundaries.json",
    "boundaries.safetensors",
    "resampled.safetensors",
    "null.safetensors",
    "rescoring.zarr/zarr.json",
    "rescoring.zarr/own/zarr.json",
    "rescoring.zarr/sums/zarr.json",
    "rescoring.zarr/sums/c/1/0/0/0/0/0",
    "rescoring.zarr/own/c/0/0/0/0",
    "rescoring.zarr/resampled/zarr.json",
    "rescoring.zarr/resampled/c/0/1/0",
    "rescoring.zarr/done/0*.json",
    "rescoring.zarr/done/*-resampled.json",
    "rescoring.zarr/done/stamp",
    "rescoring.csv",
    "edits/*.png",
    "edits/edits.csv",
    "edits/edits.json",
    "figures/ranking.svg",
    "figures/ranking.csv",
    "report.html",
    "analysis/ranking/ranking.json",
    "analysis/ranking/ranking.svg",
    "analysis/ranking/places.csv",
    "analysis/objects/objects.json",
    "analysis/objects/masks.png",
    "manipulations/*/manipulate.json",
    "manipulations/*/steps.csv",
    "manipulations/*/*.png",
)
LIKE_OTHERS = (
    "samples.zarr/zarr.json",
    "samples.zarr/index/c/0",
    "samples.zarr/scores/zarr.json",
    "samples.zarr/scores/seen/zarr.json",
    "rescoring.zarr/zarr.json",
    "rescoring.zarr/own/zarr.json",
    "rescoring.zarr/own/c/0/0/0/0",
    "rescoring.zarr/resampled/zarr.json",
    "rescoring.zarr/done/stamp",
    "figures/ranking.csv",
    "analysis/ranking/ranking.svg",
    "analysis/ranking/places.csv",
    "manipulations/*/steps.csv",
)
"""Read by the same code as another of these files; flipped in full tests alone."""
MENDED_BY_OTHERS = ("run.json", "analysis", "manipulations")
"""What `ganstrata run` names and does not compute."""

Invoke = Callable[..., Result]


def flipped(place: float, bit: int) -> Callable[[Path], None]:
    def damage(file: Path) -> None:
        content = bytearray(file.read_bytes() or b"\0")
        content[min(int(place * len(content)), len(content) - 1)] ^= 1 << bit
        file.write_bytes(bytes(content))

    return damage


def cut(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2] or b"longer than it was")


DAMAGES: dict[str, Callable[[Path], object]] = {
    "flipped": flipped(0.5, 0),
    "cut": cut,
    "emptied": lambda file: file.write_bytes(b"" if file.stat().st_size else b"\0"),
    "removed": lambda file: file.unlink(),
    **{
        f"flipped at {place}": flipped(place, bit)
        for place, bit in ((0.0, 3), (0.2, 0), (0.4, 4), (0.7, 1), (0.9, 6), (1.0, 2))
    },
}


@pytest.fixture(scope="module")
def plan(furnished) -> dict[str, Any]:
    """Return the smallest run that contains everything."""
    config = deepcopy(furnished.manifest["config"])
    config["synthesis"] |= {"samples": 256, "batch_size": 32}
    config["boundary"]["with"] = {"positives": 40, "negatives": 40}
    config["rescoring"] |= {
        "samples": 32,
        "null": "permuted",
        "null_directions": 4,
        "layers": ["all", "groups"],
        "bootstrap": 100,
    }
    config["editing"] |= {"samples": 1, "steps": 2}
    return config


@pytest.fixture
def whole(
    fakes, invoke: Invoke, plan, tmp_path_factory: pytest.TempPathFactory, _copies: dict[str, Path]
) -> Path:
    """Return the finished run with the results of other commands. Tests must not change it."""
    if "run" not in _copies:
        path = tmp_path_factory.mktemp("whole") / "run"
        ganstrata.run(plan, path)
        for command in (
            ("analysis", "ranking", path, "--quiet"),
            (
                "analysis",
                "objects",
                path,
                "--along",
                "seen/red",
                "--layers",
                "all",
                "--samples",
                8,
                "--quiet",
            ),
            (
                "manipulate",
                path,
                "--along",
                "seen/red",
                "--seeds",
                "0",
                "--steps",
                2,
                "--as",
                "strip",
                "--quiet",
            ),
        ):
            result = invoke(*command)
            assert result.exit_code == 0, result.stderr
        _copies["run"] = path
    return _copies["run"]


@pytest.fixture(scope="module")
def _copies() -> dict[str, Path]:
    return {}


@pytest.fixture
def damaged(whole: Path, tmp_path: Path) -> Callable[[str, str], Path]:
    """Return a function damaged(kind, how) that copies the run and damages one file."""

    def make(kind: str, how: str) -> Path:
        path = tmp_path / "run"
        shutil.copytree(whole, path)
        DAMAGES[how](sorted(path.glob(kind))[0])
        return path

    return make


def check_that_run_finds_it(
    invoke: Invoke, file: Path, path: Path, kind: str, expected: dict[str, bytes], contents
) -> None:
    result = invoke("run", file, "--out", path, "--quiet")
    assert isinstance(result.exception, SystemExit | None), result.exc_info
    if kind.startswith(MENDED_BY_OTHERS):
        assert result.exit_code == 2
        assert kind.split("/")[0] in result.stderr
        assert len(result.stderr) < 2000
    else:
        assert result.exit_code == 0, result.stderr
        assert contents(path) == expected


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=pytest.mark.full) if kind in LIKE_OTHERS else kind for kind in KINDS]
)
def test_a_flipped_byte_is_mended_or_named(
    kind: str, damaged, written, plan, invoke: Invoke, contents, whole: Path
) -> None:
    path = damaged(kind, "flipped")
    check_that_run_finds_it(invoke, written(plan), path, kind, contents(whole), contents)


@pytest.mark.full
@pytest.mark.parametrize("how", [how for how in DAMAGES if how != "flipped"])
@pytest.mark.parametrize("kind", KINDS)
def test_any_damage_is_mended_or_named(
    kind: str, how: str, damaged, written, plan, invoke: Invoke, contents, whole: Path
) -> None:
    path = damaged(kind, how)
    check_that_run_finds_it(invoke, written(plan), path, kind, contents(whole), contents)


def commands(path: Path, out: Path) -> list[tuple[object, ...]]:
    return [
        ("report", path, "--quiet"),
        ("rescore", path, "--quiet"),
        (
            "manipulate",
            path,
            "--along",
            "seen/left",
            "--samples",
            "3",
            "--steps",
            2,
            "--as",
            "strip",
            "--out",
            out / "edits",
            "--quiet",
        ),
        ("analysis", "ranking", path, "--out", out / "ranking", "--quiet"),
        ("boundaries", "list", path),
        ("boundaries", "export", path, "--samples", "--out", out / "export"),
    ]


@pytest.mark.parametrize(
    "how",
    ["removed", pytest.param("cut", marks=pytest.mark.full), pytest.param("flipped", marks=pytest.mark.full)],
)
@pytest.mark.parametrize(
    "kind",
    [
        "samples.zarr/w/c/0/0",
        "samples.zarr/w/zarr.json",
        "boundaries.json",
        "rescoring.zarr/sums/c/1/0/0/0/0/0",
        "rescoring.zarr/sums/zarr.json",
        *(pytest.param(kind, marks=pytest.mark.full) for kind in KINDS),
    ],
)
def test_commands_on_a_damaged_run_are_right_or_refuse(
    kind: str, how: str, damaged, invoke: Invoke, whole: Path, tmp_path: Path
) -> None:
    path = damaged(kind, how)
    original = tmp_path / "kept"
    path.rename(original)
    right = {
        file.name: file.read_bytes()
        for file in (whole / "analysis/ranking").iterdir()
        if file.suffix == ".csv"
    }
    for number in range(len(commands(path, tmp_path))):
        shutil.copytree(original, path)
        result = invoke(*commands(path, tmp_path)[number])
        assert isinstance(result.exception, SystemExit | None), result.exc_info
        assert result.exit_code in (0, 1, 2)
        assert len(result.stderr) < 2500
        shutil.rmtree(path)
    if (tmp_path / "ranking").exists():
        assert {
            file.name: file.read_bytes() for file in (tmp_path / "ranking").iterdir() if file.suffix == ".csv"
        } == right


def test_a_lost_lock_and_notes_of_others_do_not_matter(
    whole: Path, written, plan, invoke: Invoke, contents, tmp_path: Path
) -> None:
    path = tmp_path / "run"
    shutil.copytree(whole, path)
    (path / "run.lock").write_bytes(b"\xff")
    (path / "samples.zarr" / ".DS_Store").write_bytes(b"x")
    (path / "analysis" / "mine").mkdir()
    (path / "analysis" / "mine" / "notes.json").write_text(json.dumps({"files": 3}), encoding="utf-8")
    before = contents(path)
    result = invoke("run", written(plan), "--out", path, "--quiet")
    assert result.exit_code == 0, result.stderr
    assert contents(path) == before
