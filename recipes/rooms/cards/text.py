"""Lay out a model card: titles, tables and times."""

from __future__ import annotations


def duration(seconds: float) -> str:
    """Return seconds as hours and minutes.

    >>> duration(11181), duration(520)
    ('3 h 06 min', '9 min')
    """
    hours, minutes = divmod(round(seconds / 60.0), 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min"


def lines_of(rows: list[tuple[str, ...]], head: tuple[str, ...]) -> list[str]:
    """Return the lines of a table in Markdown."""
    return [f"| {' | '.join(row)} |" for row in (head, tuple("---" for _ in head), *rows)]


def header(title: str, what: str, facts: list[tuple[str, ...]]) -> list[str]:
    """Return the start of a card: title, a sentence and a table of facts."""
    return [f"# {title}", "", what, "", *lines_of(facts, ("", "")), ""]
