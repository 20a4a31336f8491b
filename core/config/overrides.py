"""Applies `--set key=value` to the data of a config."""

from __future__ import annotations

from typing import Any

import yaml

from ..errors import UserError
from ..text import visible
from .limits import DEPTH
from .parsing import parse_yaml

SHOWN = 100  # characters of an override that a message quotes


def override(data: dict[str, Any], text: str) -> None:
    """Set one value in place; sections that are missing or empty are made.

    Args:
        data: of which no part stands in two places.
        text: `key=value`, the key with dots, the value in YAML.

    Raises:
        UserError: not of this form, or there is no such place.
    """
    key, separator, value = text.partition("=")
    start = f"--set {visible(text, SHOWN)}"
    parts = key.split(".")
    if not separator or not all(parts):
        raise UserError(f"{start}: write it as key=value, for example --set synthesis.samples=2000")
    if len(parts) > DEPTH:
        raise UserError(f"{start}: the key has {len(parts)} parts; {DEPTH} are allowed")
    try:
        parsed = parse_yaml(value)
    except yaml.YAMLError as error:
        raise UserError(f"{start}: the value is no YAML: {error}") from None
    except RecursionError:
        raise UserError(f"{start}: the value is nested more than {DEPTH} deep") from None
    place: Any = data
    for i, part in enumerate(parts[:-1]):
        place = _enter(place, part, ".".join(parts[:i]), start)
    last = parts[-1]
    if isinstance(place, dict):
        place[last] = parsed
    else:
        place[_position(place, last, ".".join(parts[:-1]), start)] = parsed


def _enter(place: Any, part: str, where: str, start: str) -> Any:
    """The section or list called `part` in another."""
    if isinstance(place, dict):
        if place.get(part) is None:
            place[part] = {}
        return place[part]
    return place[_position(place, part, where, start)]


def _position(place: Any, part: str, where: str, start: str) -> int:
    """The index of an item of a list.

    Raises:
        UserError: there is no list, or it has no such item.
    """
    if not isinstance(place, list):
        raise UserError(f"{start}: '{visible(where, SHOWN)}' is a value, not a section")
    if not (part.isascii() and part.isdecimal() and len(part) <= 9 and int(part) < len(place)):
        numbers = f"items 0 to {len(place) - 1}" if place else "no items"
        raise UserError(
            f"{start}: '{visible(where, SHOWN)}' is a list, there is nothing called '{visible(part, SHOWN)}' to set a value in; it has {numbers}"
        )
    return int(part)
