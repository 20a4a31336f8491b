"""Write and read marks: which chunks a complete shard consists of, with a checksum of each."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from typing import Any, NamedTuple

VERSION = 2


class Written(NamedTuple):
    """Hold what is known of a chunk that was written.

    Attributes:
        size: in bytes.
        checksum: CRC-32 of its bytes.
        tag: what the place calls this content, see `places.Place.put`; empty if it has no tags.
    """

    size: int
    checksum: int
    tag: str = ""

    @classmethod
    def of(cls, content: bytes, tag: str = "") -> Written:
        """Describe a content."""
        return cls(len(content), zlib.crc32(content), tag)

    def is_of(self, content: bytes | None) -> bool:
        """Return whether this describes a content, whatever its tag."""
        return content is not None and Written.of(content)[:2] == self[:2]


class Mark(NamedTuple):
    """Hold a mark.

    Attributes:
        chunks: what was written, by name.
        values: in marks of early versions, instead: array -> region as lists, and the CRC-32 of its values.
    """

    chunks: Mapping[str, Written]
    values: Mapping[str, tuple[list[Any], int]]


def mark_text(chunks: Mapping[str, Written]) -> bytes:
    """Return the content of a mark: a line of JSON, and a line with its checksum."""
    return _with_checksum(json.dumps({"version": VERSION, "chunks": chunks})).encode()


def read_mark(content: bytes | None) -> Mark | None:
    """Return a mark, or None if it is missing or damaged.

    >>> read_mark(mark_text({"w/c/0": Written(3, 7, "a")})).chunks["w/c/0"].size
    3
    >>> read_mark(mark_text({}).replace(b"2", b"1", 1)) is None
    True
    """
    try:
        text = (content or b"").decode()
        line = text.split("\n", 1)[0]
        if text != _with_checksum(line):
            return None
        data = json.loads(line)
        if data.get("version") != VERSION:
            return Mark({}, {name: (region, checksum) for name, (region, checksum) in data.items()})
        return Mark({name: Written(*written) for name, written in data["chunks"].items()}, {})
    except (ValueError, TypeError, AttributeError, LookupError, RecursionError):
        return None


def _with_checksum(line: str) -> str:
    """Return a line followed by a line with its checksum."""
    return f"{line}\n{zlib.crc32(line.encode()):08x}\n"
