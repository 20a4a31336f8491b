"""The effects of the finished run, and copies of it that were changed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from ganstrata.core.errors import GanstrataError
from ganstrata.core.rescoring.results import Effects
from ganstrata.core.rescoring.stored_effects import read_effects
from ganstrata.core.runs.run import Run
from ganstrata.core.storage import result_folder
from ganstrata.core.storage.seal import sealed_text


@pytest.fixture(scope="session")
def effects(finished: Run) -> Effects:
    return read_effects(finished)


@pytest.fixture
def fill_disk_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return a function that makes the disk seem full when a file of this name is written."""

    def fill(name: str) -> None:
        write = result_folder.write_bytes

        def full(path: Path, content: bytes) -> None:
            if path.name == name:
                raise GanstrataError("the disk is full")
            write(path, content)

        monkeypatch.setattr(result_folder, "write_bytes", full)

    return fill


@pytest.fixture
def other(copied: Path, tmp_path: Path) -> Callable[[Callable[[dict], None]], Path]:
    """Return a function other(change) that copies the run again and changes the run.json of the copy."""

    def make(change: Callable[[dict], None] = lambda manifest: None) -> Path:
        path = Path(shutil.copytree(copied, tmp_path / "other"))
        manifest = json.loads((path / "run.json").read_text(encoding="utf-8"))
        change(manifest)
        (path / "run.json").write_text(sealed_text(manifest), encoding="utf-8")
        return path

    return make
