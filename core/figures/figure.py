"""Define the record of a figure: a drawing, a description for those who cannot see it, and its numbers."""

from __future__ import annotations

from dataclasses import dataclass

from ..storage.csv_tables import Table
from .svg import Canvas


@dataclass(frozen=True)
class Figure:
    """Hold a drawing together with the numbers that it shows.

    Attributes:
        name: stem of the figure's files.
        canvas: the drawing.
        description: one or two sentences for screen readers.
        table: the numbers.
    """

    name: str
    canvas: Canvas
    description: str
    table: Table

    @property
    def inline(self) -> str:
        """SVG to embed in a page, which contains the style."""
        return self.canvas.svg(self.description)

    @property
    def file(self) -> str:
        """SVG of a separate file, style included."""
        return self.canvas.svg(self.description, alone=True)

    def __repr__(self) -> str:
        """Return the name and what the figure shows, not its numbers."""
        return f"Figure({self.name!r}: {self.description})"

    def _repr_svg_(self) -> str:
        """Show the drawing in a notebook."""
        return self.file

    @property
    def csv(self) -> str:
        """The numbers as CSV."""
        return self.table.csv
