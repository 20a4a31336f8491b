"""Keep computed results in a folder, each under a key that holds everything it depends on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load, save

from ..errors import UserError
from .disk import make_folder, open_file, read_bytes, write_bytes
from .seal import read_sealed, sealed_text


class Stored(NamedTuple):
    """Hold arrays by name, and plain facts."""

    arrays: dict[str, NDArray[Any]]
    facts: dict[str, Any]


class Store:
    """Represent a folder with two files per result: NAME.safetensors, then NAME.json with key and checksum.

    The second is written last, so a result is whole or not there. Without a folder, nothing is kept.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder

    def get(self, name: str, key: str | None) -> Stored | None:
        """Return a result, or None if it is missing, damaged, or was computed from something else.

        Without a key it may be of anything, and who reads it has to see by other means that it is what it
        should be.
        """
        if self.folder is None:
            return None
        try:
            index = read_sealed(read_bytes(self.folder / f"{name}.json"))
            with open_file(self.folder / f"{name}.safetensors") as file:
                content = file.read()
            if key not in (None, index["key"]) or index["sha256"] != hashlib.sha256(content).hexdigest():
                return None
            return Stored(load(content), index["facts"])
        except (OSError, ValueError, LookupError, UserError):
            return None

    def put(self, name: str, key: str, arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> None:
        """Store a result in place of an earlier one.

        Raises:
            GanstrataError: the disk is full or the folder cannot be written.
        """
        if self.folder is None:
            return
        make_folder(self.folder)
        content = save({key: np.ascontiguousarray(array) for key, array in arrays.items()})
        write_bytes(self.folder / f"{name}.safetensors", content)
        # As JSON reads it, so that a result that is computed and one that is read are alike.
        index = {"key": key, "sha256": hashlib.sha256(content).hexdigest(), "facts": dict(facts)}
        write_bytes(self.folder / f"{name}.json", sealed_text(json.loads(json.dumps(index))).encode())
