"""Write codes to an archive that states their space and generator, and read what it states."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from ..checkpoints import Values
from ..errors import DataError
from ..storage.disk import written
from .arrays import Streamed
from .own_format import description_of, write_archive

SPACES = {"z": "z", "w": "w", "wp": "w+"}  # keys of the arrays, and the spaces of their codes


def write_codes(path: Path, arrays: Mapping[str, Streamed], generator: str) -> None:
    """Write an archive of codes.

    Args:
        path: path of the file.
        arrays: z (N, Z), w (N, D) or wp (N, L, D), by these keys.
        generator: fingerprint of the generator.

    Raises:
        GanstrataError: the disk is full, or the folder is not writable.
    """
    with written(path) as file:
        write_archive(file, arrays, json.dumps({"holds": "codes", "format": 1, "generator": generator}))


def stated_generator(values: Values) -> str | None:
    """Return the fingerprint of the generator that an archive of ganstrata's names; None for other files.

    Raises:
        DataError: the description is damaged, or the file holds directions.
    """
    description = description_of(values)
    if description is None:
        return None
    holds, generator = description.get("holds"), description.get("generator")
    if holds != "codes" or not isinstance(generator, str):
        raise DataError(
            f"{values.path} holds directions, as `boundaries export` writes them, and no codes"
            if holds == "directions"
            else f"{values.path}: its description is damaged: it does not say whose its codes are"
        )
    return generator
