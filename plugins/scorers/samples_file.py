"""Reads a CSV file of samples: line by line, within limits, in time that grows with its length alone."""

from __future__ import annotations

import csv
import io
import math
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from ...core.errors import DataError
from ...core.storage.disk import open_file
from ...core.storage.naming import fault_of
from ...core.text import listed, shown, visible

MISSING = ("", "na", "nan", "none", "null", "-")
DIGITS = 18  # of an index
LARGEST = float(np.finfo(np.float32).max)  # scores are float32
ROWS = 1_000_000
CELLS = 10_000_000
CONCEPTS = 1_000
LINE = 1_000_000  # characters
LINES = 100  # of one row, whose cells may hold ends of lines
FAULTS = 5  # that a message lists
NAMES = 10  # of columns that a message lists


@dataclass(frozen=True)
class Samples:
    """What the file says: names of the columns, indices (M,) in ascending order, and values (M, C) with NaN where there is none."""

    names: tuple[str, ...]
    index: NDArray[np.int64]
    values: NDArray[np.float32]


class _Lines:
    """The lines of a file; neither one of them nor one row of them is without end."""

    def __init__(self, file: TextIO, path: Path) -> None:
        self._file, self._path = file, path
        self.number, self._begun = 0, 0

    def row_ends(self) -> None:
        """Note that the lines so far were whole rows."""
        self._begun = self.number

    def __iter__(self) -> Iterator[str]:
        while line := self._file.readline(LINE + 1):
            self.number += 1
            if len(line) > LINE:
                raise DataError(f"file: line {self.number} of {self._path} has more than {LINE} characters")
            if self.number - self._begun > LINES:
                raise DataError(
                    f"file: the row of {self._path} that begins in line {self._begun + 1} takes more than {LINES} lines; is a quote missing?"
                )
            yield line


@dataclass(frozen=True)
class _Heading:
    """Names of all columns, place of the one that holds the index, and names and places of those that are concepts."""

    every: Sequence[str]
    key: int
    names: tuple[str, ...]
    places: tuple[int, ...]


def read_samples(path: Path, index: str, columns: Sequence[str] | None) -> Samples:
    """What the file says of samples.

    Args:
        path: of the file.
        index: name of the column that holds the samples' indices.
        columns: names of those that are concepts; None: all others.

    Raises:
        DataError: no such file or column, text where numbers are expected, an index twice, more than the
            limits of this module; the message lists the first lines that are wrong.
    """
    try:
        with io.TextIOWrapper(open_file(path), encoding="utf-8-sig", newline="") as file:
            lines = _Lines(file, path)
            reader = csv.reader(iter(lines))
            heading = _heading(next(reader, []), path, index, columns)
            lines.row_ends()
            return _rows(reader, lines, heading, path)
    except OSError as error:
        raise DataError(f"file: cannot read {path}: {error.strerror}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"file: {path} is no CSV file: {visible(str(error))}") from None


def _heading(row: list[str], path: Path, index: str, columns: Sequence[str] | None) -> _Heading:
    """The first row, checked."""
    every = [name.strip() for name in row]
    if not any(every):
        raise DataError(f"file: {path} is empty: it has no rows below its heading")
    places = {name: place for place, name in enumerate(every)}
    twice = min((name for name, count in Counter(every).items() if count > 1), default=None)
    if twice is not None:
        raise DataError(f"file: {path} has two columns '{visible(twice)}'")
    if index not in places:
        raise DataError(
            f"file: {path} has no column '{visible(index)}' with the samples' indices; it has {listed(every, NAMES)}. Name it with `index:`"
        )
    others = [name for name in every if name != index]
    names = tuple(others if columns is None else columns)
    unknown = [name for name in names if name not in places or name == index]
    if unknown or not names:
        raise DataError(
            f"columns: {path} has no column '{visible(unknown[0] if unknown else '')}'; it has {listed(others, NAMES)}"
        )
    if len(names) > CONCEPTS:
        raise DataError(
            f"file: {path} has {len(names)} columns beside the index; {CONCEPTS} can be concepts. Name those you want with `columns:`"
        )
    for name in names:
        fault = "holds '/', which stands between a scorer and its concepts" if "/" in name else fault_of(name)
        if fault:
            raise DataError(f"file: {path}: the column '{visible(name)}' cannot name a concept: it {fault}")
    return _Heading(every, places[index], names, tuple(places[name] for name in names))


def _rows(reader: Iterator[list[str]], lines: _Lines, heading: _Heading, path: Path) -> Samples:
    """The rows below the heading."""
    indices, values, starts = array("q"), array("f"), array("q")
    faults: list[str] = []
    wrong = 0
    last = lines.number
    for row in reader:
        line, last = last + 1, lines.number
        lines.row_ends()
        if not any(cell and not cell.isspace() for cell in row):
            continue
        fault, number, found = _read_row(row, heading)
        if fault:
            wrong += 1
            faults += [f"line {line}: {fault}"] if len(faults) < FAULTS else []
            continue
        indices.append(number)
        values.extend(found)
        starts.append(line)
        if len(indices) > ROWS or len(values) > CELLS:
            raise DataError(
                f"file: {path} has more than {ROWS} rows, or {CELLS} values in the columns that are used"
            )
    index = np.array(indices, dtype=np.int64)
    order = np.argsort(index, kind="stable")
    again = order[1:][np.diff(index[order]) == 0]
    for at in sorted(again.tolist())[: FAULTS - len(faults)]:
        first = int(np.flatnonzero(index == index[at])[0])
        faults.append(f"line {starts[at]}: sample {indices[at]} has a row already, line {starts[first]}")
    wrong += len(again)
    if wrong:
        more = f"\n  and {wrong - len(faults)} more lines" if wrong > len(faults) else ""
        raise DataError(f"file: {path} has lines that cannot be used:\n  " + "\n  ".join(faults) + more)
    if not len(index):
        raise DataError(f"file: {path} has no rows below its heading")
    return Samples(
        heading.names,
        index[order],
        np.array(values, dtype=np.float32).reshape(len(index), len(heading.names))[order],
    )


def _read_row(row: list[str], heading: _Heading) -> tuple[str, int, list[float]]:
    """What is wrong with a row, if anything; its index; its values."""
    if len(row) != len(heading.every):
        return f"{len(row)} cells, but the heading has {len(heading.every)}", -1, []
    text = row[heading.key].strip()
    if not text.isdecimal() or not text.isascii() or len(text) > DIGITS:
        return (
            f"{visible(heading.every[heading.key])} is {shown(text)}, expected a whole number from 0, of at most {DIGITS} digits",
            -1,
            [],
        )
    found = []
    for name, place in zip(heading.names, heading.places, strict=True):
        cell = row[place]
        try:
            value = float(cell)
        except ValueError:
            value = math.nan
        if not abs(value) <= LARGEST:
            if cell.strip().lower() not in MISSING:
                expected = (
                    f"a number up to {LARGEST:.3g}"
                    if math.isfinite(value)
                    else "a number, or nothing where there is none"
                )
                return f"{visible(name)} is {shown(cell.strip())}, expected {expected}", -1, []
            value = math.nan
        found.append(value)
    return "", int(text), found
