"""Format values and names from any source for messages: short, on one line, printable, and in little time.

A value from a file, a config or a plugin may be nested tuples with 10^10 elements, megabytes of text, a
number of 100,000 digits, or a name with characters that move the cursor. Never put it into a message with
`repr`, `str` or `format`, whose time grows with the value. Use `shown` for values and `visible` for names.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from itertools import islice
from pathlib import PurePath
from typing import Any

MESSAGE = 2_000  # maximum number of characters of a message
VALUE = 160  # of a value in a message
NAME = 160  # of a name in a message
DEPTH = 3  # maximum number of levels of nested containers shown
BITS = 256  # maximum size of integers that are written out
GAP = " [...] "  # marks the cut in a shortened message
UPGRADE = "To get a newer one, update its checkout and run `pip install .` there (docs/install.md)"


def this_version() -> str:
    """Return the version of the installed ganstrata, for messages; nothing if only its source is there."""
    with suppress(PackageNotFoundError):
        return version("ganstrata")
    return ""


def shown(value: object, limit: int = VALUE) -> str:
    r"""Return a value as one printable line of at most `limit` characters, in time independent of its size.

    Text is quoted, and dots mark omissions. Objects that are not plain data are represented by their type,
    since their own representation may take any time and length.

    >>> shown({"size": [3, 4.5, None], "name": "a\x1b[31m"})
    "{'size': [3, 4.5, None], 'name': 'a\\x1b[31m'}"
    >>> shown([list(range(1000))] * 1000, 20)
    '[[0, 1, 2, 3, 4, ...'
    >>> shown(10**5000)
    'a whole number of about 5001 digits'
    """
    return _ending(_rendered(value, limit, DEPTH), limit)


def visible(text: str, limit: int = NAME) -> str:
    r"""Return a name as one printable line of at most `limit` characters, without quotes.

    Characters that cannot be printed are escaped. The middle of long text is omitted.

    >>> visible("a\x1b[31m\u202eb\n")
    'a\\x1b[31m\\u202eb\\n'
    >>> visible("synthesis." * 100, 20)
    'synthesis.s...hesis.'
    """
    return _without_middle(text, limit, "...", lines=False)


def listed(names: Iterable[object], most: int = 5) -> str:
    """Return the first `most` names as text, and the number of the others.

    >>> listed("abcdefg")
    'a, b, c, d, e and 2 more'
    >>> listed(["a"])
    'a'
    """
    rest = iter(names)
    first = [visible(name) if isinstance(name, str) else shown(name) for name in islice(rest, most)]
    more = sum(1 for _ in rest)
    return ", ".join(first) + (f" and {more} more" if more else "")


def quantity(number: int, one: str, many: str = "") -> str:
    """Return a number with its noun, in the singular for 1.

    >>> quantity(1, "code"), quantity(2, "code"), quantity(0, "boundary", "boundaries")
    ('1 code', '2 codes', '0 boundaries')
    """
    return f"{number} {one if number == 1 else many or one + 's'}"


def message(text: str, limit: int = MESSAGE) -> str:
    r"""Return a message of at most `limit` characters.

    Line breaks stay; other characters that cannot be printed are escaped. The middle of long text is omitted.

    >>> message("bad name\x07:\n  x")
    'bad name\\x07:\n  x'
    >>> len(message("x" * 10**7))
    2000
    """
    return _without_middle(text, limit, GAP, lines=True)


def _without_middle(text: str, limit: int, gap: str, *, lines: bool) -> str:
    """Return escaped text; if it is too long, only its beginning and its end, which often has the advice."""
    if len(text) <= limit and len(whole := escaped(text, lines=lines)) <= limit:
        return whole
    end = limit // 3
    start = limit - end - len(gap)
    if start <= 0:
        return escaped(text[:limit], lines=lines)[:limit]
    return (
        escaped(text[:start], lines=lines)[:start].rstrip("\\")
        + gap
        + escaped(text[-end:], lines=lines)[-end:]
    )


def escaped(text: str, *, lines: bool = False) -> str:
    r"""Return text with unprintable characters escaped; line breaks and tabs stay if `lines` is set.

    >>> escaped("a\x1b\u202e")
    'a\\x1b\\u202e'
    """
    if text.isprintable():
        return text
    return "".join(
        c
        if c.isprintable() or (lines and c in "\n\t")
        else c.encode("unicode_escape", "surrogatepass").decode("ascii")
        for c in text
    )


def _ending(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: max(0, limit - 3)] + "..."


def _rendered(value: object, room: int, depth: int) -> str:
    """Return a value in little more than `room` characters; each part uses what earlier parts left."""
    room = max(room, 0)
    if value is None or isinstance(value, bool):
        return str(value)
    if isinstance(value, int):
        size = value.bit_length()
        return (
            str(int(value)) if size <= BITS else f"a whole number of about {int(size * 0.30103) + 1} digits"
        )
    if isinstance(value, float):
        return str(float(value))
    if isinstance(value, str):
        return repr(value[: room + 1])
    if isinstance(value, bytes | bytearray | memoryview):
        return f"{bytes(value[:16])!r}" + (f"... of {len(value)} bytes" if len(value) > 16 else "")
    if isinstance(value, dict):
        return "{" + _joined(value.items(), room - 2, depth - 1, ": ") + "}"
    if isinstance(value, list | tuple | set | frozenset):
        opening, closing = "[]" if isinstance(value, list) else "()" if isinstance(value, tuple) else "{}"
        return (
            opening
            + _joined(value, room - 2, depth - 1)
            + ("," if isinstance(value, tuple) and len(value) == 1 else "")
            + closing
        )
    return _named(value, room, depth)


def _named(value: object, room: int, depth: int) -> str:
    """Return a description of an object: its value if that is plain data, else its type."""
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, PurePath):
        return visible(str(value), room + len(GAP))
    if isinstance(value, type):
        return visible(f"{value.__module__}.{value.__qualname__}")
    if type(value).__module__ in ("numpy", "torch") and isinstance(
        shape := getattr(value, "shape", None), tuple
    ):
        if not shape:
            return _rendered(value.item(), room, depth)  # type: ignore[attr-defined]
        return f"{type(value).__name__} of shape {shown(tuple(shape))}"
    return f"an object of type {visible(type(value).__name__)}"


def _joined(values: Iterable[Any], room: int, depth: int, between: str = "") -> str:
    """Return as many items as fit, joined by commas; with `between`, items are pairs of key and value."""
    if depth < 0:
        return "..."
    parts: list[str] = []
    for value in values:
        if room <= 0:
            parts.append("...")
            break
        part = ""
        for inner in value if between else (value,):
            part += (between if part else "") + _rendered(inner, room - len(part), depth)
        parts.append(part)
        room -= len(part) + 2
    return ", ".join(parts)
