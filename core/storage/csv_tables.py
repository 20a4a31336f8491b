"""Write tables as CSV, with names that terminals and spreadsheets treat as plain text."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

import numpy as np

from ..messages import escaped
from .json_values import JsonObject

FORMULA = ("=", "+", "-", "@")  # first characters of formulas in spreadsheets
ROWS_IN_PART = 4096  # about a megabyte of text
Item = TypeVar("Item")
QUOTE = "'"  # first character of text in spreadsheets


Row = Sequence[str | float | None]
"""The cells of a row, text or numbers; NaN and None are empty."""


@dataclass(frozen=True)
class Table:
    r"""Hold rows under named columns.

    >>> Table(("concept", "sd"), [("seen/red", 0.5)]).csv
    'concept,sd\nseen/red,0.5\n'
    """

    columns: Sequence[str]
    rows: Sequence[Row]

    @property
    def csv(self) -> str:
        """Return the table as CSV text, which `csv_text` describes."""
        return csv_text([self.columns, *self.rows])

    @property
    def records(self) -> list[JsonObject]:
        """Rows as plain data by column, for JSON; None where a number is not finite.

        >>> Table(("concept", "sd"), [("seen/red", float("nan"))]).records
        [{'concept': 'seen/red', 'sd': None}]
        """
        return [
            {
                column: None if isinstance(cell, float) and not np.isfinite(cell) else cell
                for column, cell in zip(self.columns, row, strict=True)
            }
            for row in self.rows
        ]


def csv_text(rows: Iterable[Sequence[Any]]) -> str:
    r"""Return rows as CSV text: floats with six significant digits, an empty cell for NaN and None.

    Characters that cannot be printed are escaped. Text that a spreadsheet would take for a formula gets a
    leading quote, unless it is a number.

    >>> csv_text([["=1+1", "-0.5", 0.1234567, float("nan"), None, 3, "a\x1b,b"]])
    '\'=1+1,-0.5,0.123457,,,3,"a\\x1b,b"\n'
    """
    return "".join(csv_parts(rows))


def csv_parts(rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """Yield the text of `csv_text` in parts of some thousand rows, for tables that are large."""
    for some in batched(rows, ROWS_IN_PART):
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([_cell(value) for value in row] for row in some)
        yield text.getvalue()


def batched(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Yield lists of so many items; the last may be shorter.

    >>> list(batched("abc", 2))
    [['a', 'b'], ['c']]
    """
    source = iter(items)
    while some := list(islice(source, size)):
        yield some


def name_in(cell: str) -> str:
    """Return the name in a cell written by csv_text: without the leading quote, if it has one.

    >>> name_in("'=1+1"), name_in("wall")
    ('=1+1', 'wall')
    """
    return cell[1:] if cell.startswith(QUOTE) and cell[1:].startswith(FORMULA) else cell


def _cell(value: Any) -> Any:
    if isinstance(value, float | np.floating):
        return "" if np.isnan(value) else f"{value:.6g}"
    if not isinstance(value, str):
        return value
    value = escaped(value)
    return QUOTE + value if value.startswith(FORMULA) and not _is_number(value) else value


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
