"""What computes on a finished run tells, and notes, what is no longer what the run was computed with."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from conftest import _on_path
from ganstrata.cli.main import main
from ganstrata.core.runs.run import Run
from ganstrata.core.study.key import Key

OLD, NEW = "ganstrata-fakes 1.0", "ganstrata-fakes 2.0"


@pytest.fixture
def upgraded(site: Path, tmp_path: Path) -> Iterator[None]:
    """Install the fakes under another version, with the same source."""
    folder = tmp_path / "site"
    shutil.copytree(site, folder)
    info = (folder / "ganstrata_fakes-1.0.dist-info").rename(folder / "ganstrata_fakes-2.0.dist-info")
    text = (info / "METADATA").read_text(encoding="utf-8").replace("Version: 1.0", "Version: 2.0")
    (info / "METADATA").write_text(text, encoding="utf-8")
    with _on_path(folder):
        yield


def commands(run: Path, out: Path) -> dict[str, tuple[tuple[object, ...], Callable[[], dict[str, Any]]]]:
    """Commands that compute on a run, each with what reads its note."""
    along = ("--along", "seen/red")
    made, key = out / "strips/manipulate.json", out / "study"
    objects = run / "analysis/objects/objects.json"
    return {
        "manipulate": (
            ("manipulate", run, *along, "--seeds", "0", "--as", "strip", "--out", made.parent),
            lambda: dict(json.loads(made.read_text(encoding="utf-8"))),
        ),
        "study": (
            ("study", "make", run, "--out", key, "--concepts", "seen/red", "--strips", "1"),
            lambda: dict(Key.read(key).made_with),
        ),
        "objects": (
            ("analysis", "objects", run, *along, "--layers", "all", "--samples", "4"),
            lambda: dict(json.loads(objects.read_text(encoding="utf-8"))),
        ),
    }


@pytest.mark.parametrize("name", ["manipulate", "study", "objects"])
def test_another_version_of_a_plugin_is_told_and_noted(
    name: str, refurnished: Path, upgraded: None, tmp_path: Path
) -> None:
    before = Run.open(refurnished).record
    command, note = commands(refurnished, tmp_path)[name]
    result = CliRunner().invoke(main, [str(argument) for argument in command])
    assert result.exit_code == 0, result.stderr
    change = f"generator 'fake_layers': was from {OLD}, is from {NEW}"
    assert f"{change}; scorer 'seen': was from {OLD}, is from {NEW}" in result.stderr
    assert "This command computes with what is here now, and notes it; the numbers of the run stay" in (
        result.stderr
    )
    noted = note()
    assert noted["plugins"] == dict.fromkeys(
        ("generator fake_layers", "scorer fake_readings", "scorer fake_regions"), NEW
    )
    assert change in noted["differs_from_run"]
    assert {"torch", "ganstrata"} <= noted["versions"].keys()
    assert (noted["device"], noted["precision"]) == ("cpu", "fp32")
    after = Run.open(refurnished).record
    assert (after.plugins, after.keys) == (before.plugins, before.keys)
    page = (refurnished / "report.html").read_text(encoding="utf-8")
    escaped = change.replace("'", "&#39;")
    assert (f"these pictures were made again later: {escaped}" in page) == (name == "objects")
    assert (f"was not computed with what the run was computed with: {escaped}" in page) == (name == "objects")


def test_nothing_is_told_where_nothing_differs(
    refurnished: Path, invoke: Callable[..., Result], tmp_path: Path
) -> None:
    command, note = commands(refurnished, tmp_path)["manipulate"]
    result = invoke(*command)
    assert result.exit_code == 0
    assert "was from" not in result.stderr
    assert note()["differs_from_run"] == []
    assert note()["plugins"]["scorer fake_readings"] == OLD
