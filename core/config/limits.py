"""Holds plain data to what a config may be: a tree of text, numbers and truth values, of bounded size and depth."""

from __future__ import annotations

import math
import numbers
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any, cast

from ..errors import ConfigError, Fault
from ..text import shown

BYTES = 2**20  # of a file or of one value; a config of a thousand prompts has a tenth of it
VALUES = 100_000  # values in all, where a YAML alias counts as often as it is used
DEPTH = 32  # sections and lists within each other
DIGITS = 100  # of a number; the longest that is of use, a seed, has 19

Path = tuple[str | int, ...]


def plain(data: object, source: str) -> tuple[Any, list[Fault]]:
    """A copy of data in which nothing is shared, and the faults of its single values, which are None in the copy.

    Args:
        data: as a reader of YAML, TOML or JSON gives it, or from Python; may refer to itself.
        source: for messages.

    Raises:
        ConfigError: it is larger or deeper than a config may be.
    """
    copier = _Copier(source)
    copied = copier.copy(data, ())
    return copied, copier.faults


class _Copier:
    """Copies a tree and notes its faults."""

    def __init__(self, source: str) -> None:
        self.faults: list[Fault] = []
        self._source, self._left = source, VALUES

    def copy(self, value: object, path: Path) -> Any:
        """The value at a path."""
        self._left -= 1
        if self._left < 0:
            raise ConfigError(
                self._source,
                [Fault((), f"holds more than {VALUES} values, where an alias counts as often as it is used")],
            )
        if isinstance(value, Mapping | list | tuple):
            if len(path) >= DEPTH:
                raise ConfigError(self._source, [Fault(path[:4], f"is nested more than {DEPTH} deep")])
            if isinstance(value, Mapping):
                return dict(self._pairs(value, path))
            return [self.copy(item, (*path, i)) for i, item in enumerate(value)]
        fault = _fault_of(value)
        if fault:
            self.faults.append(Fault(path, fault))
            return None
        if value is None or isinstance(value, str | bool):
            return value
        return (
            int(value) if isinstance(value, numbers.Integral) else float(cast("float", value))
        )  # of NumPy too

    def _pairs(self, value: Mapping[Any, Any], path: Path) -> Iterator[tuple[str, Any]]:
        for key, item in value.items():
            if not isinstance(key, str):
                self.faults.append(
                    Fault(
                        (*path, shown(key, 60)),
                        f"keys must be text, but this one is {_kind(key)}; write it in quotes",
                    )
                )
                continue
            awkward = _awkward(key)
            if awkward:
                self.faults.append(Fault((*path, key), f"a key {awkward}"))
                continue
            yield key, self.copy(item, (*path, key))


def _fault_of(value: object) -> str:
    """Why a single value cannot stand in a config; nothing if it can."""
    if value is None or isinstance(value, bool):
        return ""
    if isinstance(value, str):
        return _awkward(value)
    if isinstance(value, numbers.Integral):
        return (
            f"has more than the {DIGITS} digits that a number may have"
            if abs(int(value)) >= 10**DIGITS
            else ""
        )
    if isinstance(value, numbers.Real):
        return "" if math.isfinite(value) else f"must be a finite number (got {value})"
    return f"is {_kind(value)}, which a config cannot hold; write it as text, in quotes"


def _awkward(text: str) -> str:
    """What text holds that no name, path or description may; line breaks and tabs are allowed."""
    for sign in text:
        if (
            sign >= " "
            and sign != "\x7f"
            and not "\x80" <= sign <= "\x9f"
            and not "\ud800" <= sign <= "\udfff"
        ):
            continue
        if sign not in "\n\r\t":
            name = "half of a surrogate pair" if unicodedata.category(sign) == "Cs" else "a control character"
            return f"holds {name}, U+{ord(sign):04X}"
    return "" if len(text) <= BYTES else f"has {len(text)} characters; {BYTES} are allowed"


def _kind(value: object) -> str:
    kinds = {bool: "a truth value", int: "a number", float: "a number", type(None): "empty"}
    return kinds.get(type(value), f"of the type {type(value).__name__}")
