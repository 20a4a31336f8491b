"""List the texts that the regular expression of a rule matches, with places for its numbers."""

from __future__ import annotations

import re
from functools import cache

MOST = 200  # texts of one pattern
SLOT = re.compile(r"#\d+#")


@cache
def templates(pattern: str) -> tuple[str, ...]:
    r"""Return the texts that a pattern matches, with #0#, #1# ... in place of numbers.

    The pattern consists of literals, groups, alternatives, classes of characters, optional parts, numbers
    and back references. If it matches any text (`.*`), nothing is returned.

    >>> templates(r"(?:net\.)?conv(\d{1,2})\.(weight|bias)")
    ('conv#0#.weight', 'conv#0#.bias', 'net.conv#0#.weight', 'net.conv#0#.bias')
    >>> templates(r"(\d+)x\1/Conv[12]"), templates(r"D\..*")
    (('#0#x#0#/Conv1', '#0#x#0#/Conv2'), ())
    """
    try:
        return tuple(dict.fromkeys(_Reader(pattern).alternatives()))
    except _Open:
        return ()


class _Open(Exception):
    """Say that a pattern matches any text."""


class _Reader:
    """Read a pattern from left to right."""

    def __init__(self, pattern: str) -> None:
        self.rest = pattern
        self.slots = 0
        self.groups: list[list[str]] = []  # texts of each group, for back references

    def alternatives(self) -> list[str]:
        """Return the texts of alternatives, up to the end of their group."""
        texts = self.branch()
        while self.rest.startswith("|"):
            self.rest = self.rest[1:]
            texts += self.branch()
        return texts

    def branch(self) -> list[str]:
        """Return the texts of one alternative."""
        texts = [""]
        while self.rest and self.rest[0] not in "|)":
            pieces = self.piece()
            texts = [text + piece for text in texts for piece in pieces][:MOST]
        return texts

    def piece(self) -> list[str]:
        """Return the texts of a part, once; if it is optional, also the empty text."""
        texts = self.part()
        match = re.match(r"[*+]|\?|\{\d*,?\d*\}", self.rest)
        if match is None:
            return texts
        self.rest = self.rest[match.end() :]
        if match[0] != "?":
            return texts
        # A digit that may follow another belongs to the same number.
        return [""] if SLOT.fullmatch(texts[0]) else ["", *texts]

    def part(self) -> list[str]:
        """Return the texts of a group, a class of characters, a number or a character."""
        first, self.rest = self.rest[0], self.rest[1:]
        if first == "(":
            return self.group()
        if first == "[":
            characters, _, self.rest = self.rest.partition("]")
            return [self.slot()] if "-" in characters else list(characters)
        if first == "." and self.rest[:1] in ("*", "+"):
            raise _Open
        if first != "\\":
            return [first]
        second, self.rest = self.rest[0], self.rest[1:]
        if second == "d":
            return [self.slot()]
        return self.groups[int(second) - 1] if second.isdigit() else [second]

    def group(self) -> list[str]:
        """Return the texts of a group whose bracket was read."""
        captures = not self.rest.startswith("?:")
        self.rest = self.rest if captures else self.rest[2:]
        number = len(self.groups)
        if captures:
            self.groups.append([])
        texts = self.alternatives()
        self.rest = self.rest[1:]
        if captures:
            self.groups[number] = texts
        return texts

    def slot(self) -> str:
        """Return a new place for a number."""
        self.slots += 1
        return f"#{self.slots - 1}#"
