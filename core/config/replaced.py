"""Explain the options of a plugin that an override replaced by another one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..errors import ConfigError, Fault, GanstrataError
from ..plugins.plugin_info import Kind
from ..plugins.registry import registry
from .engine_schema import with_present_name
from .faults import NO_OPTION

Place = tuple[str | int, ...]


def uses_of(data: Mapping[str, Any]) -> dict[Place, tuple[Kind, str]]:
    """Return kind and name of each plugin of a config by its place, as far as they can be read.

    >>> uses_of({"boundary": {"use": "ridge"}, "scorers": [{"use": "hue"}, 3]})
    {('scorers', 0): ('scorer', 'hue'), ('boundary',): ('boundary', 'ridge')}
    """
    return {
        place: (kind, item["use"])
        for place, kind, item in places_of(data)
        if isinstance(item, Mapping) and isinstance(item.get("use"), str)
    }


def explained(error: ConfigError, before: Mapping[Place, tuple[Kind, str]]) -> ConfigError:
    """Return the error with a way out at each option that belongs to a plugin which was replaced.

    Args:
        error: faults of a config after overrides.
        before: plugins of the config before overrides, from `uses_of`.
    """
    faults: list[Fault] = []
    hinted: set[Place] = set()
    for fault in error.faults:
        place = fault.path[:-2]
        is_option = fault.path[-2:-1] == ("with",) and NO_OPTION in fault.message and place in before
        kind, name = before[place] if is_option else ("boundary", "")
        if not is_option or str(fault.path[-1]) not in _options(kind, name):
            faults.append(fault)
            continue
        where = ".".join(map(str, place))
        way_out = f". Drop the options of '{name}' with --set '{where}.with={{}}', before other --set of them"
        more = "" if place in hinted else way_out
        hinted.add(place)
        reason = f"is an option of '{name}', and --set replaces that by a plugin without such an option"
        faults.append(Fault(fault.path, f"{reason}{more}"))
    return ConfigError(error.source, faults)


def places_of(data: Mapping[str, Any]) -> Iterator[tuple[Place, Kind, object]]:
    """Yield place, kind and content of each plugin's section in the data of a config, whatever it holds."""
    yield ("generator",), "generator", data.get("generator")
    scorers = data.get("scorers")
    for i, item in enumerate(scorers if isinstance(scorers, list) else ()):
        yield ("scorers", i), "scorer", item
    yield ("boundary",), "boundary", data.get("boundary")
    yield ("teacher",), "scorer", data.get("teacher")
    yield ("engine",), "engine", with_present_name(data.get("engine"))


def _options(kind: Kind, name: str) -> set[str]:
    """Return the options of a plugin; none if it cannot be had."""
    try:
        fields = registry().info(kind, name).load().Config.model_fields
    except GanstrataError:
        return set()
    return {field.alias or key for key, field in fields.items()}
