"""Keep the folders of this machine out of what a page is told: it may be shown to others."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..workspace import Workspace

# Folders before the last part of a path, which begins a word: not those of 6/7, category/bedroom, http://a/b.
FOLDERS = re.compile(r"""(?<![\w.:/\\~-])(?:~[\w-]*|[A-Za-z]:)?[\\/]{1,2}(?:[^\s\\/'"<>|:;,]+[\\/])+""")
CODE = Path(__file__).parents[1]


def without_paths(text: str, workspace: Workspace) -> str:
    """Return a message in which a path is the name of its last part alone.

    Args:
        text: the message.
        workspace: its folders become their names, however they are written.
    """
    return FOLDERS.sub("", _without_folders(text, _known(workspace)))


def redacted(value: Any, workspace: Workspace) -> Any:
    """Return plain data in which no text names a folder: sentences any, names none of the workspace."""
    return _redacted(value, _known(workspace))


def _redacted(value: Any, known: list[tuple[str, str]]) -> Any:
    if isinstance(value, str):
        plain = _without_folders(value, known)
        return FOLDERS.sub("", plain) if " " in plain else plain
    if isinstance(value, dict):
        return {key: _redacted(one, known) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_redacted(one, known) for one in value]
    return value


def _without_folders(text: str, known: list[tuple[str, str]]) -> str:
    if "/" not in text and "\\" not in text:
        return text
    for path, name in known:
        text = text.replace(path, name)
    return text


def _known(workspace: Workspace) -> list[tuple[str, str]]:
    """Return paths of folders and what stands for each, the longest first; they are found once."""
    if "known folders" not in workspace.memory:
        workspace.memory["known folders"] = _found(workspace)
    known: list[tuple[str, str]] = workspace.memory["known folders"]
    return known


def _found(workspace: Workspace) -> list[tuple[str, str]]:
    named = workspace.folders
    own = [workspace.run.path, *named.inversions, named.segmentation, named.leaderboard, named.study]
    found: dict[str, str] = {}
    for folder in (one for one in own if one is not None):
        found |= {str(path): path.name for path in (folder.resolve(), folder.absolute(), folder)}
    for folder in _usual():
        found |= {f"{path}{os.sep}": "" for path in (folder, folder.resolve())}
    paths = (pair for pair in found.items() if pair[0].strip("/\\.") not in ("", pair[1]))
    return sorted(paths, key=lambda pair: -len(pair[0]))


def _usual() -> Iterator[Path]:
    """Yield the folders that messages name most often, as far as this process has them."""
    yield from (CODE, Path(sys.prefix))
    for find in (tempfile.gettempdir, Path.cwd, Path.home):
        # Nothing may be written anywhere, the working directory may be gone, and a user may have no home.
        with suppress(OSError, RuntimeError):
            yield Path(find())
