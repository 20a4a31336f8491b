"""Writes tables as CSV: numbers with six digits, and names that neither a terminal nor a spreadsheet takes for more."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ..text import escaped

FORMULA = ("=", "+", "-", "@")  # with which a spreadsheet begins what it computes
QUOTE = "'"  # by which a spreadsheet knows text


def csv_text(rows: Iterable[Sequence[Any]]) -> str:
    r"""Rows as text: six digits, nothing where there is no number.

    Signs that cannot be printed are escaped, and text that a spreadsheet would compute gets a quote before it;
    numbers stay numbers.

    >>> csv_text([["=1+1", "-0.5", 0.1234567, float("nan"), None, 3, "a\x1b,b"]])
    '\'=1+1,-0.5,0.123457,,,3,"a\\x1b,b"\n'
    """
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue()


def name_in(cell: str) -> str:
    """The name that csv_text wrote.

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
