"""Make an example of a plugin's options, and of the section of a config that uses it."""

from __future__ import annotations

from typing import Any, Literal, get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from ..plugins.plugin_info import CONFIGURED, Kind, PluginInfo

PLACEHOLDERS: dict[object, Any] = {bool: True, int: 1, float: 1.0, str: "text"}


def example_options(info: PluginInfo) -> dict[str, Any] | None:
    """Return an example of a plugin's options, or None if its Config does not allow those found.

    The options are those that are required, and those with `examples` in their Field, whose first is used.

    Raises:
        PluginBroken: the plugin does not load.

    Example:
        >>> from ganstrata.core.plugins.registry import registry
        >>> example_options(registry().info("scorer", "category"))
        {'checkpoint': 'bundled:rooms'}
    """
    model = info.load().Config
    options = {
        field.alias or key: _value(field)
        for key, field in model.model_fields.items()
        if field.examples or field.is_required()
    }
    try:
        model.model_validate(options)
    except ValidationError:
        return None
    return options


def section_of(kind: Kind, name: str, options: dict[str, Any]) -> dict[str, Any]:
    """Return the section of a config that uses a plugin of a kind that a config names.

    Example:
        >>> section_of("scorer", "category", {"checkpoint": "bundled:rooms"})
        {'scorers': [{'use': 'category', 'with': {'checkpoint': 'bundled:rooms'}}]}
        >>> section_of("boundary", "ridge", {})
        {'boundary': {'use': 'ridge'}}
    """
    if kind not in CONFIGURED:
        raise ValueError(f"a config has no section for the kind '{kind}'")
    use: dict[str, Any] = {"use": name, **({"with": options} if options else {})}
    return {"scorers": [use]} if kind == "scorer" else {kind: use}


def _value(field: FieldInfo) -> Any:
    """Return the first example of a field, or else a value of its type."""
    if field.examples:
        return field.examples[0]
    if get_origin(field.annotation) is Literal:
        return get_args(field.annotation)[0]
    return PLACEHOLDERS.get(field.annotation, "FILE")
