"""Read a CSV file of samples line by line, within limits, in time linear in its length."""

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
from ...core.messages import listed, quantity, shown, visible
from ...core.storage.disk import open_file
from ...core.storage.name_rules import fault_of

MISSING = ("", "na", "nan", "none", "null", "-")
DIGITS = 18  # of an index
LARGEST = float(np.finfo(np.float32).max)  # scores are float32
ROWS = 1_000_000
CELLS = 10_000_000
CONCEPTS = 1_000
LINE = 1_000_000  # characters
LINES = 100  # of one row, whose cells may contain line breaks
LISTED_FAULTS = 5  # in a message
LISTED_NAMES = 10  # of columns, in a message


@dataclass(frozen=True)
class Samples:
    """Hold column names, sample indices (M,) in ascending order, and values (M, C), NaN if missing."""

    names: tuple[str, ...]
    index: NDArray[np.int64]
    values: NDArray[np.float32]


class _Lines:
    """Iterate over the lines of a file, with limits on the length of a line and of a row."""

    def __init__(self, file: TextIO, path: Path) -> None:
        self._file, self._path = file, path
        self.number, self._row_start = 0, 0

    def row_ends(self) -> None:
        """Record that the lines read so far are complete rows."""
        self._row_start = self.number

    def __iter__(self) -> Iterator[str]:
        while line := self._file.readline(LINE + 1):
            self.number += 1
            if len(line) > LINE:
                raise DataError(f"file: line {self.number} of {self._path} has more than {LINE} characters")
            if self.number - self._row_start > LINES:
                raise DataError(
                    f"file: the row of {self._path} that begins in line {self._row_start + 1} "
                    f"takes more than {LINES} lines; is a quote missing?"
                )
            yield line


@dataclass(frozen=True)
class _Heading:
    """Hold the column names, the position of the index column, and names and positions of the concepts."""

    columns: Sequence[str]
    index_position: int
    names: tuple[str, ...]
    positions: tuple[int, ...]


def read_samples(path: Path, index: str, columns: Sequence[str] | None) -> Samples:
    """Read indices and scores of samples.

    Args:
        path: of the file.
        index: name of the column with the indices of the samples.
        columns: names of the columns that are concepts; None means all others.

    Raises:
        DataError: no such file or column, text where numbers are expected, a repeated index, or a file
            beyond the limits of this module; the message lists the first wrong lines.
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
        raise DataError(f"file: {path} is not a CSV file: {visible(str(error))}") from None


def _heading(row: list[str], path: Path, index: str, columns: Sequence[str] | None) -> _Heading:
    """Check the first row and return its columns."""
    header = [name.strip() for name in row]
    if not any(header):
        raise DataError(f"file: {path} is empty: it has no rows below its heading")
    positions = {name: position for position, name in enumerate(header)}
    twice = min((name for name, count in Counter(header).items() if count > 1), default=None)
    if twice is not None:
        raise DataError(f"file: {path} has two columns '{visible(twice)}'")
    if index not in positions:
        raise DataError(
            f"file: {path} has no column '{visible(index)}' with the samples' indices; "
            f"it has {listed(header, LISTED_NAMES)}. Name it with `index:`"
        )
    others = [name for name in header if name != index]
    names = tuple(others if columns is None else columns)
    unknown = [name for name in names if name not in positions or name == index]
    if unknown or not names:
        raise DataError(
            f"columns: {path} has no column '{visible(unknown[0] if unknown else '')}'; "
            f"it has {listed(others, LISTED_NAMES)}"
        )
    if len(names) > CONCEPTS:
        raise DataError(
            f"file: {path} has {len(names)} columns besides the index; at most {CONCEPTS} can be concepts. "
            "Name them with `columns:`"
        )
    for name in names:
        fault = "holds '/', which separates a scorer from its concepts" if "/" in name else fault_of(name)
        if fault:
            raise DataError(f"file: {path}: the column '{visible(name)}' cannot name a concept: it {fault}")
    return _Heading(header, positions[index], names, tuple(positions[name] for name in names))


def _rows(reader: Iterator[list[str]], lines: _Lines, heading: _Heading, path: Path) -> Samples:
    """Read the rows below the heading; all are read before faults are reported."""
    indices, values, line_numbers = array("q"), array("f"), array("q")
    faults: list[str] = []
    fault_count = 0
    last = lines.number
    for row in reader:
        line, last = last + 1, lines.number
        lines.row_ends()
        if not any(cell and not cell.isspace() for cell in row):
            continue
        fault, number, cells = _read_row(row, heading)
        if fault:
            fault_count += 1
            faults += [f"line {line}: {fault}"] if len(faults) < LISTED_FAULTS else []
            continue
        indices.append(number)
        values.extend(cells)
        line_numbers.append(line)
        if len(indices) > ROWS or len(values) > CELLS:
            raise DataError(
                f"file: {path} has more than {ROWS} rows, or {CELLS} values in the columns that are used"
            )
    index = np.array(indices, dtype=np.int64)
    order = np.argsort(index, kind="stable")
    repeated = order[1:][np.diff(index[order]) == 0]
    for row_number in sorted(repeated.tolist())[: LISTED_FAULTS - len(faults)]:
        first = int(np.flatnonzero(index == index[row_number])[0])
        faults.append(
            f"line {line_numbers[row_number]}: sample {indices[row_number]} already has a row, "
            f"line {line_numbers[first]}"
        )
    fault_count += len(repeated)
    if fault_count:
        more = f"\n  and {fault_count - len(faults)} more lines" if fault_count > len(faults) else ""
        raise DataError(f"file: {path} has lines that cannot be used:\n  " + "\n  ".join(faults) + more)
    if not len(index):
        raise DataError(f"file: {path} has no rows below its heading")
    return Samples(
        heading.names,
        index[order],
        np.array(values, dtype=np.float32).reshape(len(index), len(heading.names))[order],
    )


def _read_row(row: list[str], heading: _Heading) -> tuple[str, int, list[float]]:
    """Return the fault of a row, or "", its sample index, and its values."""
    if len(row) != len(heading.columns):
        return f"{quantity(len(row), 'cell')}, but the heading has {len(heading.columns)}", -1, []
    text = row[heading.index_position].strip()
    if not text.isdecimal() or not text.isascii() or len(text) > DIGITS:
        return (
            f"{visible(heading.columns[heading.index_position])} is {shown(text)}, "
            f"expected a whole number from 0, of at most {DIGITS} digits",
            -1,
            [],
        )
    values = []
    for name, position in zip(heading.names, heading.positions, strict=True):
        cell = row[position]
        try:
            value = float(cell)
        except ValueError:
            value = math.nan
        if not abs(value) <= LARGEST:
            if cell.strip().lower() not in MISSING:
                expected = (
                    f"a number up to {LARGEST:.3g}" if math.isfinite(value) else "a number, or an empty cell"
                )
                return f"{visible(name)} is {shown(cell.strip())}, expected {expected}", -1, []
            value = math.nan
        values.append(value)
    return "", int(text), values
