"""Read a folder of inverted pictures: their codes, and all else of which their generator makes them again.

Such a folder holds

- `invert.json`: what was computed from what, and a record of each picture (`core.inversion`);
- `codes.safetensors`: codes (N, L, D), index (N,), and as far as there are any condition, latent, noise maps
  `noise.S` (N, 1, h, w) of stratum S, and `mixture.codes` and `mixture.weights`; its header names the
  generator, the pictures, and the seed of fresh noise;
- `weights/NAME.safetensors`: what is added to tensors of the generator for the picture NAME.

Shapes: N pictures, L layers, D code size.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from ..checkpoints import Values, read_values
from ..errors import DataError, MismatchError, UserError
from ..messages import listed, shown
from ..plugins.generator import Generator
from ..plugins.inverter import Inversion
from ..storage.paths import user_path, why_no_file
from ..storage.result_folder import faults_of, read_index
from .inversion_file import CodesHeader, header_of, inversion_of, read_weights
from .inversion_rows import rows_of

INDEX, CODES, WEIGHTS = "invert.json", "codes.safetensors", "weights"
MENTIONED = 3  # folders that a message names
UNFINISHED = "its pictures are not all inverted yet; run the same command again, which goes on"
MENDED = "run the command again that wrote the folder, which mends it"


@dataclass(frozen=True)
class StoredInversion:
    """Hold inverted pictures as they were stored.

    Attributes:
        path: the file of codes.
        names: name of each picture, which its files have too.
        inversion: everything of which the generator makes the N pictures again, on its device.
        index: (N,), which with `seed` decide the fresh noise of each picture, in Stream.EDITING.
        seed: seed of fresh noise.
        records: what `invert.json` says of each picture: its file, measures and so on; empty if the codes
            stand alone.
        sha256: SHA-256 of the file of codes, in hex.
    """

    path: Path
    names: tuple[str, ...]
    inversion: Inversion
    index: Tensor
    seed: int
    records: tuple[Mapping[str, Any], ...]
    sha256: str

    def rows(self, rows: Sequence[int]) -> StoredInversion:
        """Return some of the pictures, in the order of `rows`."""
        return replace(
            self,
            names=tuple(self.names[i] for i in rows),
            inversion=rows_of(self.inversion, rows),
            index=self.index[list(rows)],
            records=tuple(self.records[i] for i in rows) if self.records else (),
        )

    def named(self, name: str) -> int:
        """Return the row of a picture, by its name.

        Raises:
            UserError: there is no such picture.
        """
        if name not in self.names:
            raise UserError(f"{self.path} has no picture {shown(name)}; it has {listed(self.names)}")
        return self.names.index(name)


def is_inversion(path: Path) -> bool:
    """Return whether a path looks like a folder of inverted pictures, or like the file of codes of one."""
    folder = path.parent if path.name == CODES else path
    return (folder / INDEX).is_file() and (folder / CODES).is_file()


def _inside(folder: Path) -> str:
    """Return the folders inside that were meant, such as those of `ganstrata invert` without --out."""
    there = sorted(file.parent for file in folder.glob(f"*/{CODES}"))
    more = f" and {len(there) - MENTIONED} more" if len(there) > MENTIONED else ""
    return f", such as {listed([str(path) for path in there[:MENTIONED]])}{more}" if there else ""


def read_inversion(path: Path | str, generator: Generator) -> StoredInversion:
    """Read inverted pictures.

    Args:
        path: a folder that `ganstrata invert` wrote, or its codes.safetensors, which may also stand alone if
            no picture has weights of its own.
        generator: generator of the codes.

    Raises:
        UserError: there is no such folder or file.
        MismatchError: the codes are of another generator.
        DataError: a file is damaged, missing, or does not fit its header or the generator.
        CheckpointError: a file is not a safetensors file.
    """
    words = f"{generator.fingerprint} ({generator.card.family}, {generator.card.source})"
    file, records, values, header = _opened(path, generator.fingerprint, words)
    inversion, index = inversion_of(values, header, generator)
    if header.weights:
        weights = tuple(read_weights(file.parent / WEIGHTS, name, generator) for name in header.names)
        inversion = replace(inversion, weights=weights)
    return StoredInversion(file, tuple(header.names), inversion, index, header.seed, records, values.sha256)


def check_inversion(path: Path | str, fingerprint: str | None = None) -> None:
    """Refuse inverted pictures that `read_inversion` would refuse, before their generator is loaded.

    What only the generator tells, such as the shape of its codes, is not checked.

    Args:
        path: as in `read_inversion`.
        fingerprint: of the generator that will be loaded; None if it is not known yet.

    Raises:
        GanstrataError: see `read_inversion`.
    """
    _opened(path, fingerprint, fingerprint or "")


class _Opened(NamedTuple):
    """Hold a file of codes that fits its header and its folder: the path, records, content, header."""

    file: Path
    records: tuple[Mapping[str, Any], ...]
    values: Values
    header: CodesHeader


def _opened(path: Path | str, fingerprint: str | None, words: str) -> _Opened:
    """Open inverted pictures; `words` name the generator with the fingerprint."""
    given = user_path(path)
    file = given / CODES if given.is_dir() else given
    folder = file.parent
    if not file.is_file():
        if not given.is_dir() or file.is_symlink() or file.exists():
            raise UserError(f"{file}: {why_no_file(file)}")
        if (given / INDEX).is_file():
            raise UserError(f"{given}: {UNFINISHED}")
        raise UserError(
            f"{given} has no {CODES}; give a folder that `ganstrata invert` wrote{_inside(given)}"
        )
    records = _records(folder) if file.name == CODES and os.path.lexists(folder / INDEX) else ()
    values = read_values(file)
    header = header_of(values)
    if fingerprint is not None and header.generator != fingerprint:
        raise MismatchError(
            f"{file}: its codes are of generator {shown(header.generator)}; this one is {words}"
        )
    if records and [record.get("name") for record in records] != header.names:
        raise DataError(f"{file} is not of the pictures that {folder / INDEX} lists")
    return _Opened(file, records, values, header)


def _records(folder: Path) -> tuple[Mapping[str, Any], ...]:
    """Return the records of the pictures of a folder whose files are as they were written.

    Raises:
        DataError: a file is damaged or missing, or the pictures are not all inverted.
    """
    file = folder / INDEX
    if not file.is_file():
        raise DataError(f"{file}: {why_no_file(file)}; {MENDED}")
    try:
        index = read_index(file)
    except (OSError, ValueError) as error:
        raise DataError(f"{file} is damaged: {error}; {MENDED}") from None
    if index.get("finished") is not True:
        raise DataError(f"{folder}: {UNFINISHED}")
    files, records = index.get("files"), index.get("pictures")
    if (
        not isinstance(files, dict)
        or CODES not in files
        or not isinstance(records, list)
        or not all(isinstance(record, dict) for record in records)
    ):
        raise DataError(f"{file} does not list its pictures and their files; {MENDED}")
    needed = (CODES, f"{WEIGHTS}/")
    faults = [name for name in faults_of(folder, INDEX) if name == INDEX or name.startswith(needed)]
    if faults:
        raise DataError(f"{folder}: changed or missing since it was written: {listed(faults, 3)}; {MENDED}")
    return tuple(records)
