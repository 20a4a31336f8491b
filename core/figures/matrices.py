"""Draw matrices of numbers as shaded cells."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..storage.csv_tables import Row, Table
from .figure import Figure
from .svg import Canvas, text_width


def heat(
    name: str,
    rows: Sequence[str],
    columns: Sequence[str],
    values: NDArray[np.float64],
    marks: NDArray[np.bool_],
    *,
    description: str,
    entry: str,
    axes: tuple[str, str] = ("boundary", "concept"),
    mark: str = "significant",
    digits: int = 2,
) -> Figure:
    """Draw a matrix of numbers as shaded cells: marked cells in bold, cells of NaN empty.

    Args:
        name: name of the figure.
        rows: names of the rows (R).
        columns: names of the columns (C).
        values: numbers, (R, C).
        marks: cells to emphasise, (R, C).
        description: description for screen readers.
        entry: name of the numbers' column in the table.
        axes: names of the columns of rows and columns in the table.
        mark: name of the column that says which cells are marked.
        digits: digits after the decimal point.
    """
    left, cell_h = 24.0 + text_width(rows), 27.0
    cell_w = max(38.0, min(64.0, 560.0 / max(len(columns), 1)))
    slant = text_width(columns) * 0.75  # names lean by half a right angle
    top = slant + 20.0
    canvas = Canvas(left + cell_w * len(columns) + slant, top + cell_h * len(rows) + 10)
    largest = float(np.nanmax(np.abs(values))) if np.isfinite(values).any() else 1.0
    for j, column in enumerate(columns):
        canvas.text(left + cell_w * (j + 0.5) + 4, top - 8, column, turn=-48)
    table: list[Row] = []
    for i, row in enumerate(rows):
        y = top + cell_h * i
        canvas.text(left - 10, y + cell_h / 2 + 4, row, anchor="end")
        for j, column in enumerate(columns):
            value = float(values[i, j])
            table.append([row, column, value, bool(marks[i, j])])
            if not np.isfinite(value):
                continue
            canvas.rect(
                left + cell_w * j + 1,
                y + 1,
                cell_w - 2,
                cell_h - 2,
                "up" if value >= 0 else "down",
                title=f"{row} -> {column}: {value:+.{digits}f}",
                opacity=0.08 + 0.72 * min(abs(value) / max(largest, 1e-9), 1.0),
            )
            canvas.text(
                left + cell_w * (j + 0.5),
                y + cell_h / 2 + 4,
                f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "−"),
                anchor="middle",
                css="strong" if marks[i, j] else "soft",
            )
    return Figure(name, canvas, description, Table((*axes, entry, mark), table))
