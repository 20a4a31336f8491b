"""Convert names of concepts, boundaries and layer sets to file names that are safe on every file system."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Literal

LONGEST = 150  # maximum number of characters taken from names
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
"""Names of devices in Windows, also with an extension."""
SIGNS = {"/": ".", "|": "_given_", ",": "_and_"}
"""Replacements for characters in names of concepts and boundaries."""


def file_stem(*names: str, between: Literal[".", "+"] = ".") -> str:
    """Return the stem of a file name for one or more names; different names give different stems.

    Names of lower-case letters, digits, `_`, `-` and the characters of SIGNS stay readable. Any other name is
    made safe and followed by a digest: names with capital letters, which macOS and Windows do not distinguish
    from small letters, dots or accents, names of devices, names that are too long, and names to which another
    name is converted. The stems of the same number of names with the same separator differ even on file
    systems that ignore case and normalise Unicode. They have at most 164 characters.

    Args:
        names: one or more names.
        between: separator. With "." only the first name may contain a slash; with "+" each may.

    >>> file_stem("attribute/daylight|attribute/indoor_lighting")
    'attribute.daylight_given_attribute.indoor_lighting'
    >>> file_stem("colour/red", "0,2,5-7"), file_stem("colour/red", "colour/blue", between="+")
    ('colour.red.0_and_2_and_5-7', 'colour.red+colour.blue')
    >>> file_stem("colour/Red")
    'colour.Red-254898e7ff28'
    """
    parts = [_readable(name) for name in names]
    words = between.join(parts)
    separable = between == "+" or not any("." in part for part in parts[1:])  # the end of each name is clear
    plain = all(_is_plain(name, part) for name, part in zip(names, parts, strict=True))
    if (
        plain
        and separable
        and len(words) <= LONGEST
        and not DIGEST.fullmatch(words[-13:])
        and not _is_device(words)
    ):
        return words
    safe = re.sub(r"[^A-Za-z0-9._+-]", "_", words)[:LONGEST]
    lead = "_" if not safe or safe[0] in ".-" or _is_device(safe) else ""
    digest = hashlib.sha256(json.dumps(names).encode("ascii")).hexdigest()[:12]
    return f"{lead}{safe}-{digest}"


def is_safe_stem(name: str) -> bool:
    """Return whether a name can be the stem of a file on every file system as it is.

    It has letters, digits, `_`, `-` and single dots between them, at most LONGEST, and names no device.

    >>> is_safe_stem("walls_and-floors.2"), is_safe_stem("../walls"), is_safe_stem("con")
    (True, False, False)
    """
    return (
        name.isascii()
        and PLAIN.fullmatch(name.lower()) is not None
        and len(name) <= LONGEST
        and not _is_device(name)
    )


def _readable(name: str) -> str:
    for sign, words in SIGNS.items():
        name = name.replace(sign, words)
    return name


def _is_plain(name: str, words: str) -> bool:
    """Return whether the words are safe, and no other name is converted to them."""
    back = words
    for sign, replacement in SIGNS.items():
        back = back.replace(replacement, sign)
    return back == name and PLAIN.fullmatch(words) is not None


def _is_device(stem: str) -> bool:
    return stem.split(".", 1)[0].casefold() in RESERVED
