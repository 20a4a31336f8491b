"""Write the tables of the page, and numbers with their intervals."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 500
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"

Array = NDArray[np.float64]


class Table(NamedTuple):
    """Hold a table of the page: file name, heading, columns and rows."""

    name: str
    title: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]


def percent(estimate: tuple[float, float, float], digits: int = 2) -> str:
    """Return a share with its interval in percent, as text."""
    value, low, high = (100.0 * part for part in estimate)
    return f"{value:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def resampled(count: int, seed: int) -> Array:
    """Count how often each room is drawn in each of RESAMPLES resamples, (RESAMPLES, N)."""
    return (
        np.random.default_rng(seed)
        .multinomial(count, np.full(count, 1.0 / count), size=RESAMPLES)
        .astype(np.float64)
    )


def interval(values: Array, value: float, digits: int) -> str:
    """Return a number with the 2.5th and the 97.5th percentile of its resamples, as text."""
    low, high = np.percentile(values, (2.5, 97.5))
    return f"{value:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def markdown(table: Table) -> str:
    """Return a table of the page in Markdown."""
    lines = [
        f"### {table.title}",
        "",
        f"| {' | '.join(table.columns)} |",
        f"| --- |{' ---: |' * (len(table.columns) - 1)}",
    ]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in table.rows), ""])


def put(page: Path, text: str) -> None:
    """Replace the text between the two marks of a page.

    Raises:
        ValueError: the page has no such marks.
    """
    old = page.read_text(encoding="utf-8")
    if BEGIN not in old or END not in old:
        raise ValueError(f"{page} lacks the lines {BEGIN} and {END}, between which the tables go")
    page.write_text(
        old[: old.index(BEGIN) + len(BEGIN)] + "\n\n" + text + "\n" + old[old.index(END) :], encoding="utf-8"
    )
