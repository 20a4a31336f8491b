"""Check that data are a valid config tree: text, numbers and booleans, of bounded size and depth."""

from __future__ import annotations

import math
import numbers
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any, cast

from ..errors import ConfigError, Fault
from ..messages import shown

BYTES = 2**20  # maximum size of a file or a value; a config with a thousand prompts has a tenth of it
VALUES = 100_000  # maximum number of values; a YAML alias counts as often as it is used
DEPTH = 32  # maximum depth of nested sections and lists
DIGITS = 100  # maximum number of digits; the longest useful number, a seed, has 19

Path = tuple[str | int, ...]


def plain(data: object, source: str) -> tuple[Any, list[Fault]]:
    """Return a deep copy of data without shared parts, and the faults of single values, which are None in it.

    Args:
        data: data from YAML, TOML, JSON or Python, which may contain itself.
        source: name of the source, for messages.

    Raises:
        ConfigError: the data are larger or deeper than a config may be.
    """
    copier = _Copier(source)
    copied = copier.copy(data, ())
    return copied, copier.faults


class _Copier:
    """Copy a tree and collect its faults."""

    def __init__(self, source: str) -> None:
        self.faults: list[Fault] = []
        self._source, self._remaining = source, VALUES

    def copy(self, value: object, path: Path) -> Any:
        """Return a copy of the value at a path.

        Raises:
            ConfigError: the tree is too large or too deep.
        """
        self._remaining -= 1
        if self._remaining < 0:
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
        # Converts numbers of numpy too.
        return int(value) if isinstance(value, numbers.Integral) else float(cast("float", value))

    def _pairs(self, value: Mapping[Any, Any], path: Path) -> Iterator[tuple[str, Any]]:
        for key, item in value.items():
            if not isinstance(key, str):
                self.faults.append(
                    Fault(
                        (*path, shown(key, 60)),
                        f"keys must be text, but this one is {_type_of(key)}; write it in quotes",
                    )
                )
                continue
            fault = text_fault(key)
            if fault:
                self.faults.append(Fault((*path, key), f"a key {fault}"))
                continue
            yield key, self.copy(item, (*path, key))


def _fault_of(value: object) -> str:
    """Return why a single value cannot be in a config; empty if it can."""
    if value is None or isinstance(value, bool):
        return ""
    if isinstance(value, str):
        return text_fault(value)
    if isinstance(value, numbers.Integral):
        return (
            f"has more than the {DIGITS} digits that a number may have"
            if abs(int(value)) >= 10**DIGITS
            else ""
        )
    if isinstance(value, numbers.Real):
        return "" if math.isfinite(value) else f"must be a finite number (got {value})"
    return f"is {_type_of(value)}, which a config cannot contain; write it as text, in quotes"


def text_fault(text: str) -> str:
    """Return why text cannot be in a config; empty if it can. Line breaks and tabs are allowed."""
    for char in text:
        if (
            char >= " "
            and char != "\x7f"
            and not "\x80" <= char <= "\x9f"
            and not "\ud800" <= char <= "\udfff"
        ):
            continue
        if char not in "\n\r\t":
            name = "half of a surrogate pair" if unicodedata.category(char) == "Cs" else "a control character"
            return f"contains {name}, U+{ord(char):04X}"
    return "" if len(text) <= BYTES else f"has {len(text)} characters; {BYTES} are allowed"


def _type_of(value: object) -> str:
    names = {bool: "a boolean", int: "a number", float: "a number", type(None): "empty"}
    return names.get(type(value), f"of the type {type(value).__name__}")
