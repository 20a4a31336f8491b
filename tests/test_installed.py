"""What is tested is what was installed: `make test` says so, and then it must be the wheel."""

from __future__ import annotations

import os
import sysconfig
from importlib.metadata import distribution
from pathlib import Path

import ganstrata
import pytest

ROOT = Path(__file__).resolve().parents[1]
wheel_only = pytest.mark.skipif(
    "GANSTRATA_WHEEL" not in os.environ, reason="only `make test` installs the wheel"
)


@wheel_only
def test_the_wheel_is_imported_and_not_the_checkout() -> None:
    assert ganstrata.__file__ is not None
    assert Path(sysconfig.get_path("purelib")).resolve() in Path(ganstrata.__file__).resolve().parents


@wheel_only
def test_the_wheel_holds_what_a_run_needs_and_no_more() -> None:
    files = {
        str(file)
        for file in distribution("ganstrata").files or ()
        if "dist-info" not in str(file) and "__pycache__" not in str(file)
    }
    needed = [
        path
        for folder in ("app", "core", "plugins", "cli", "testing", "weights")
        for path in (ROOT / folder).rglob("*")
        if path.is_file()
    ]
    wanted = {f"ganstrata/{path.relative_to(ROOT)}" for path in needed if "__pycache__" not in path.parts}
    inside = {file for file in files if file.startswith("ganstrata/")}
    assert inside == wanted | {"ganstrata/__init__.py", "ganstrata/py.typed"}


def test_the_version_is_that_of_the_changelog() -> None:
    assert f"## [{ganstrata.__version__}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert distribution("ganstrata").version == ganstrata.__version__
