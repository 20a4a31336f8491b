"""Draw matrices of numbers as shaded cells."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..storage.csv_tables import Row, Table
from .figure import Figure
from .svg import Canvas, text_width

WRITTEN = 4096  # most cells whose numbers are written into them
CELL = 14.0  # pixels of a cell in a picture
SHADES = 16  # of each colour, with transparent as the first
WARM, COLD, DARK = [194, 74, 0], [0, 96, 160], [28, 35, 48]
IN_PICTURE = "There are too many cells for numbers: marked ones have a dark centre instead of bold digits."


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

    More than WRITTEN cells are drawn as one picture without numbers; its marked cells have a dark centre.

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
    table: list[Row] = [
        [row, column, float(values[i, j]), bool(marks[i, j])]
        for i, row in enumerate(rows)
        for j, column in enumerate(columns)
    ]
    numbers = Table((*axes, entry, mark), table)
    if values.size > WRITTEN:
        said = f"{description} {IN_PICTURE} The numbers are in {name}.csv."
        return Figure(name, _picture(rows, columns, values, marks), said, numbers)
    left, cell_h = 24.0 + text_width(rows), 27.0
    cell_w = max(38.0, min(64.0, 560.0 / max(len(columns), 1)))
    slant = text_width(columns) * 0.75  # names lean by half a right angle
    top = slant + 20.0
    canvas = Canvas(left + cell_w * len(columns) + slant, top + cell_h * len(rows) + 10)
    largest = float(np.nanmax(np.abs(values))) if np.isfinite(values).any() else 1.0
    for j, column in enumerate(columns):
        canvas.text(left + cell_w * (j + 0.5) + 4, top - 8, column, turn=-48)
    for i, row in enumerate(rows):
        y = top + cell_h * i
        canvas.text(left - 10, y + cell_h / 2 + 4, row, anchor="end")
        for j, column in enumerate(columns):
            value = float(values[i, j])
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
                css="strong over" if marks[i, j] else "soft over",  # legible on any shade
            )
    return Figure(name, canvas, description, numbers)


def _picture(
    rows: Sequence[str], columns: Sequence[str], values: NDArray[np.float64], marks: NDArray[np.bool_]
) -> Canvas:
    """Draw a large matrix as one picture, with the names of its rows and columns."""
    left, slant = 24.0 + text_width(rows), text_width(columns) * 0.75
    top = slant + 20.0
    width, height = CELL * len(columns), CELL * len(rows)
    canvas = Canvas(left + width + slant, top + height + 10)
    for j, column in enumerate(columns):
        canvas.text(left + CELL * (j + 0.5) + 4, top - 8, column, turn=-48)
    for i, row in enumerate(rows):
        canvas.text(left - 10, top + CELL * (i + 0.5) + 4, row, anchor="end")
    canvas.image(left, top, width, height, shaded(values, marks))
    return canvas


def shaded(values: NDArray[np.float64], marks: NDArray[np.bool_]) -> bytes:
    """Return a PNG of 3 x 3 pixels per cell, transparent where a number is small or not finite.

    Args:
        values: numbers, (R, C).
        marks: cells with a dark centre, (R, C).
    """
    finite = np.isfinite(values)
    size = np.where(finite, np.abs(values), 0.0)
    share = size / max(float(size.max(initial=0.0)), 1e-9)
    levels = np.rint(1 + (SHADES - 2) * share).astype(np.uint8)  # of SHADES; 0 is empty
    cells = np.where(finite, levels + np.where(values < 0.0, SHADES, 0), 0).astype(np.uint8)
    pixels = cells.repeat(3, axis=0).repeat(3, axis=1)
    pixels[1::3, 1::3] = np.where(finite & marks, 2 * SHADES, pixels[1::3, 1::3])
    image = Image.fromarray(pixels)
    alphas = [0, *np.rint(255 * np.linspace(0.08, 0.8, SHADES - 1)).astype(int).tolist()]
    image.putpalette([*WARM * SHADES, *COLD * SHADES, *DARK])
    content = io.BytesIO()
    image.save(content, "PNG", transparency=bytes([*alphas, *alphas, 255]), optimize=True)
    return content.getvalue()
