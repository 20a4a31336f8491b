"""Note which plugin is being called, where another process can read it after this one has died."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

SIZE = 256  # bytes of a note
_note: Any = None  # of this process, if somebody reads it


def share(note: Any) -> None:
    """Keep the notes of this process in `note`, an array of SIZE bytes that another process can read."""
    global _note
    _note = note


@contextmanager
def noted(owner: str, what: str) -> Iterator[None]:
    """Note during the block that a plugin is called.

    Args:
        owner: the plugin in words, such as "scorer 'contrast' from ganstrata-discs 0.1".
        what: the method that is called.
    """
    if _note is None:
        yield
        return
    before = _note.raw
    # A kill may come at any time, so the text is complete at any time but for the moment of this assignment.
    _note.raw = f"{owner} ({what})".encode()[: SIZE - 1].ljust(SIZE, b"\0")
    try:
        yield
    finally:
        _note.raw = before


def text_of(note: Any) -> str:
    """Return the text of a note; empty if no plugin was being called.

    >>> text_of(type("Array", (), {"raw": b"scorer 'hue'" + bytes(9)}))
    "scorer 'hue'"
    """
    raw: bytes = note.raw
    return raw.split(b"\0", 1)[0].decode(errors="replace")
