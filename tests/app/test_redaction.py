"""No folder of this machine gets into a message; everything else in it stays."""

from __future__ import annotations

import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from ganstrata.app.server.redaction import CODE, redacted, without_paths
from ganstrata.app.workspace import Folders, Workspace


@pytest.fixture
def at_home(workspace: Workspace) -> Workspace:
    return replace(
        workspace, folders=Folders(segmentation=Path("seg/old rooms"), study=Path("/data/my study"))
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{run}/samples.zarr is damaged", "run/samples.zarr is damaged"),
        ("--segmentation seg/old rooms: it holds none", "--segmentation old rooms: it holds none"),
        ("'/data/my study/key.json'", "'my study/key.json'"),
        (f"{CODE}/app/server/web.py, line 3", "app/server/web.py, line 3"),
        (f"in {tempfile.gettempdir()}/x", "in x"),
        (f"{sys.prefix}/lib/x.py", "lib/x.py"),
        (f"{Path.home()}/x.pkl", "x.pkl"),
        ("/somewhere/else/model.pkl: no", "model.pkl: no"),
        ("(/somewhere/else/)", "()"),
        ("~/models/x.pkl, ~me/models/y.pkl", "x.pkl, y.pkl"),
        ("C:\\Users\\me\\x.pkl and \\\\host\\share\\y", "x.pkl and y"),
    ],
)
def test_a_path_is_its_last_part(at_home: Workspace, text: str, said: str) -> None:
    text = text.replace("{run}", str(at_home.run.path))
    assert without_paths(text, at_home) == said
    assert redacted({"words": [f"well, {text}"]}, at_home) == {"words": [f"well, {said}"]}


@pytest.mark.parametrize(
    "text",
    [
        "category/bedroom and 6/7 of 3 / 4 parts",
        "https://example.org/a/b c",
        "steps a/b/c, ../x and ./y/z",
        "the pattern is '^k\\d{1,6}$'",
        "and/or",
        "",
    ],
)
def test_what_is_no_path_stays(at_home: Workspace, text: str) -> None:
    assert without_paths(text, at_home) == text
    assert redacted(text, at_home) == text


def test_names_stay_whatever_they_look_like(at_home: Workspace) -> None:
    data = {"name": "/a/b", "values": (1, 2.5, None, True), "more": {"x": ["/c/d/e"]}}
    assert redacted(data, at_home) == {**data, "values": [1, 2.5, None, True]}


def test_a_process_without_home_and_with_no_place_for_files_hides_the_others(
    at_home: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none() -> str:
        raise FileNotFoundError("No usable temporary directory found")

    def nobody() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(tempfile, "gettempdir", none)
    monkeypatch.setattr(Path, "home", nobody)
    opened = replace(at_home, memory={})
    assert without_paths(f"{opened.run.path}/x, {CODE}/y", opened) == f"{opened.run.path.name}/x, y"
