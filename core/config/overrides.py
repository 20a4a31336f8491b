"""Apply `--set key=value` to the data of a config."""

from __future__ import annotations

from typing import Any

import yaml

from ..errors import UserError
from ..messages import visible
from .limits import DEPTH
from .parsing import parse_yaml

SHOWN = 100  # maximum number of characters of an override in a message


def override(data: dict[str, Any], text: str) -> None:
    """Set one value in place; missing and empty sections are created.

    Args:
        data: data of a config, without shared parts.
        text: `key=value`, with dots in the key and the value as YAML.

    Raises:
        UserError: the text has another form, or the place does not exist.
    """
    key, separator, value = text.partition("=")
    start = f"--set {visible(text, SHOWN)}"
    parts = key.split(".")
    if not separator or not all(parts):
        example = key if all(parts) else "KEY"
        raise UserError(f"{start}: write it as key=value, here --set {visible(example, SHOWN)}=VALUE")
    if len(parts) > DEPTH:
        raise UserError(f"{start}: the key has {len(parts)} parts; {DEPTH} are allowed")
    try:
        parsed = parse_yaml(value)
    except yaml.YAMLError as error:
        raise UserError(f"{start}: the value is not valid YAML: {error}") from None
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
    """Return the section or list called `part` in another."""
    if isinstance(place, dict):
        if place.get(part) is None:
            place[part] = {}
        return place[part]
    return place[_position(place, part, where, start)]


def _position(place: Any, part: str, where: str, start: str) -> int:
    """Return the index of an item of a list.

    Raises:
        UserError: `place` is not a list, or has no such item.
    """
    if not isinstance(place, list):
        raise UserError(f"{start}: '{visible(where, SHOWN)}' is a value, not a section")
    if not (part.isascii() and part.isdecimal() and len(part) <= 9 and int(part) < len(place)):
        numbers = f"items 0 to {len(place) - 1}" if place else "no items"
        raise UserError(
            f"{start}: '{visible(where, SHOWN)}' is a list without an item '{visible(part, SHOWN)}'; "
            f"it has {numbers}"
        )
    return int(part)
