"""Keep what is costly to compute between runs, in the cache folder of the user's system.

A file is named by the hash of everything that its content depends on, so it is never out of date.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from .disk import DiskError, make_folder, write_bytes

Arrays = Mapping[str, NDArray[np.float32]]


def cache_folder() -> Path | None:
    """Return the folder of this package in the cache of the user's system; it need not exist.

    It is `$XDG_CACHE_HOME/ganstrata` or `~/.cache/ganstrata`; `~/Library/Caches/ganstrata` on macOS and
    `%LOCALAPPDATA%/ganstrata` on Windows. It is None for a user without a home, as in a container that runs
    under a number of its own.
    """
    given = os.environ.get("XDG_CACHE_HOME", "")
    if Path(given).is_absolute():  # others are to be ignored, says the XDG Base Directory Specification
        return Path(given) / "ganstrata"
    if sys.platform == "win32" and (local := os.environ.get("LOCALAPPDATA")):
        return Path(local) / "ganstrata"
    try:
        home = Path.home()
    except RuntimeError:
        return None
    return home / ("Library/Caches" if sys.platform == "darwin" else ".cache") / "ganstrata"


def read_cached(kind: str, key: str, shapes: Mapping[str, tuple[int, ...]]) -> Arrays | None:
    """Return stored arrays, or None if there are none, or a file that does not hold them whole.

    Args:
        kind: folder within the cache.
        key: hash of everything that the arrays depend on.
        shapes: shape of each array.
    """
    path = _path(kind, key)
    if path is None:
        return None
    try:
        arrays = load_file(path)
    except (OSError, SafetensorError):
        return None
    found = {name: (array.shape, array.dtype) for name, array in arrays.items()}
    if found != {name: (shape, np.dtype(np.float32)) for name, shape in shapes.items()}:
        return None
    return arrays if all(np.isfinite(array).all() for array in arrays.values()) else None


def write_cached(kind: str, key: str, arrays: Arrays) -> Path | None:
    """Store arrays under their key in one step, and return the path; None if nothing can be stored there.

    Without a home, or with one that is full or cannot be written, they are computed again next time: that is
    no reason to lose them now.
    """
    path = _path(kind, key)
    if path is None:
        return None
    try:
        make_folder(path.parent)
        write_bytes(path, save({name: np.ascontiguousarray(array) for name, array in arrays.items()}))
    except DiskError:
        return None
    return path


def _path(kind: str, key: str) -> Path | None:
    folder = cache_folder()
    return None if folder is None else folder / kind / f"{key}.safetensors"
