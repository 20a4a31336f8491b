"""The cache: what is stored is found again, and without a place for it everything goes on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ganstrata.core.storage.cache import cache_folder, read_cached, write_cached

ARRAYS = {"a": np.arange(6, dtype=np.float32).reshape(2, 3)}
SHAPES = {"a": (2, 3)}


def nobody() -> Path:
    raise RuntimeError("Could not determine home directory.")


def test_what_is_stored_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert read_cached("text", "key", SHAPES) is None
    assert write_cached("text", "key", ARRAYS) == tmp_path / "ganstrata" / "text" / "key.safetensors"
    found = read_cached("text", "key", SHAPES)
    assert found is not None
    assert (found["a"] == ARRAYS["a"]).all()
    assert read_cached("text", "key", {"a": (3, 2)}) is None
    assert [path.name for path in (tmp_path / "ganstrata" / "text").iterdir()] == ["key.safetensors"]


@pytest.mark.parametrize("given", ["", "relative/place"])
def test_a_place_that_is_none_is_ignored(given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", given)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    folder = cache_folder()
    assert folder is not None
    assert folder.is_relative_to(tmp_path)


def test_a_user_without_a_home_has_no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("LOCALAPPDATA", raising=False)
    monkeypatch.setattr(Path, "home", nobody)
    assert cache_folder() is None
    assert write_cached("text", "key", ARRAYS) is None
    assert read_cached("text", "key", SHAPES) is None


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert write_cached("text", "key", ARRAYS) is None
    assert read_cached("text", "key", SHAPES) is None
