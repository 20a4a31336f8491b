"""Names of concepts, boundaries and layer sets as names of files, on every file system."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Literal

LONGEST = 150  # characters that are taken from names
PLAIN = re.compile(r"[a-z0-9_][a-z0-9_-]*(\.[a-z0-9_-]+)*")
DIGEST = re.compile(r"-[0-9a-f]{12}")
RESERVED = frozenset(
    {
        "con",
        "prn",
        "aux",
        "nul",
        "conin$",
        "conout$",
        *(f"{device}{n}" for device in ("com", "lpt") for n in range(10)),
    }
)
"""Devices of Windows, whatever follows after a dot."""
SIGNS = {"/": ".", "|": "_given_", ",": "_and_"}
"""What stands in a file's name for the signs of a concept's or boundary's name."""


def file_stem(*names: str, between: Literal[".", "+"] = ".") -> str:
    """One name, or several that together name a file, as the stem of its name; whatever differs keeps different files.

    Ordinary names stay readable as they are: small letters, digits, `_` and `-`, and the signs of
    boundaries' names. Any other name is made safe and followed by a digest of it: capital letters, which
    macOS and Windows do not tell from small ones, dots, accents in either of their forms, names of
    devices, names that are too long, and those that another name turns into. The stems of as many names,
    joined in the same way, differ even where file systems ignore case and normalise Unicode, and have at
    most 164 characters.

    Args:
        names: one or more.
        between: what stands between several: only the first may have parts, or each with `+`.

    >>> file_stem("attribute/daylight|attribute/indoor_lighting")
    'attribute.daylight_given_attribute.indoor_lighting'
    >>> file_stem("colour/red", "0,2,5-7"), file_stem("colour/red", "colour/blue", between="+")
    ('colour.red.0_and_2_and_5-7', 'colour.red+colour.blue')
    >>> file_stem("colour/Red")
    'colour.Red-254898e7ff28'
    """
    parts = [_readable(name) for name in names]
    words = between.join(parts)
    alone = between == "+" or not any(
        "." in part for part in parts[1:]
    )  # it can be told where each name ends
    plain = all(_is_plain(name, part) for name, part in zip(names, parts, strict=True))
    if (
        plain
        and alone
        and len(words) <= LONGEST
        and not DIGEST.fullmatch(words[-13:])
        and not _is_device(words)
    ):
        return words
    safe = re.sub(r"[^A-Za-z0-9._+-]", "_", words)[:LONGEST]
    lead = "_" if not safe or safe[0] in ".-" or _is_device(safe) else ""
    digest = hashlib.sha256(json.dumps(names).encode("ascii")).hexdigest()[:12]
    return f"{lead}{safe}-{digest}"


def _readable(name: str) -> str:
    for sign, words in SIGNS.items():
        name = name.replace(sign, words)
    return name


def _is_plain(name: str, words: str) -> bool:
    """Whether the words are safe, and only this name turns into them."""
    back = words
    for sign, replacement in SIGNS.items():
        back = back.replace(replacement, sign)
    return back == name and PLAIN.fullmatch(words) is not None


def _is_device(stem: str) -> bool:
    return stem.split(".", 1)[0].casefold() in RESERVED
