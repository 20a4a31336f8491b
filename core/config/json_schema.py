"""Describe configs as JSON Schema, with which editors complete and check them, installed plugins included."""

from __future__ import annotations

import re
from typing import Any

from pydantic import BaseModel

from ..errors import GanstrataError
from ..plugins.plugin_info import Kind, PluginInfo
from ..plugins.registry import registry
from ..storage.json_values import JsonObject
from .schema import AUTO, RunConfig
from .segment_schema import SegmentConfig

DIALECT = "https://json-schema.org/draft/2020-12/schema"
Schema = dict[str, Any]


def config_schema() -> JsonObject:
    """Return the JSON Schema of a run's config.

    The options of a plugin depend on its name: for each plugin that loads there is a rule. It allows all that
    a run allows; what a run refuses beyond types, names and limits, such as a layer that the generator lacks,
    no schema can say.

    >>> schema = config_schema()
    >>> schema["properties"]["synthesis"]["anyOf"][0]
    {'$ref': '#/$defs/Synthesis'}
    >>> "stylegan2" in schema["$defs"]["generator"]["properties"]["use"]["enum"]
    True
    """
    sections: dict[Kind, str] = {
        "generator": "Use",
        "scorer": "UseScorer",
        "boundary": "Use",
        "engine": "Engine",
    }
    schema = _with_plugins(RunConfig, sections)
    properties = schema["properties"]
    properties["generator"], properties["boundary"] = _reference("generator"), _reference("boundary")
    properties["scorers"]["items"] = _reference("scorer")
    properties["engine"] = _reference("engine")
    return _finished(schema)


def segment_schema() -> JsonObject:
    """Return the JSON Schema of the config of `ganstrata segment`, as `config_schema` does.

    >>> "segmentation" in segment_schema()["$defs"]["scorer"]["properties"]["use"]["enum"]
    True
    """
    schema = _with_plugins(SegmentConfig, {"generator": "Use", "scorer": "Use"})
    properties = schema["properties"]
    properties["generator"], properties["teacher"] = _reference("generator"), _reference("scorer")
    return _finished(schema)


def _with_plugins(model: type[BaseModel], sections: dict[Kind, str]) -> Schema:
    """Return the schema of a config, with a definition per kind of plugin in place of the plain sections."""
    schema = model.model_json_schema(by_alias=True)
    definitions = schema["$defs"]
    plain = {kind: definitions[name] for kind, name in sections.items()}
    for kind, section in plain.items():
        definitions[kind] = _section(kind, section, definitions)
    for name in set(sections.values()):
        del definitions[name]
    return schema


def _finished(schema: Schema) -> JsonObject:
    """Return the schema with its dialect, and with empty sections allowed."""
    for owner in (schema, *schema["$defs"].values()):
        _allow_empty(owner)
    return {"$schema": DIALECT, **schema}


def _section(kind: Kind, section: Schema, definitions: Schema) -> Schema:
    """Return the schema of the section of a plugin: its name, and the options that go with the name.

    The schemas of the options are added to the definitions.
    """
    names, rules = [AUTO] if kind == "generator" else [], []
    for info in registry().infos(kind):
        names.append(info.name)
        options = _options(info, definitions)
        if options is not None:
            rules.append(
                {
                    "if": {"properties": {"use": {"const": info.name}}, "required": ["use"]},
                    "then": {"properties": {"with": options}},
                }
            )
    use = {**section["properties"]["use"], "enum": sorted(set(names))}
    return {**section, "properties": {**section["properties"], "use": use}, "allOf": rules}


def _options(info: PluginInfo, definitions: Schema) -> Schema | None:
    """Return the schema of the options of a plugin, or None if it does not load; add what it refers to."""
    try:
        model: type[BaseModel] = info.load().Config
        own = model.model_json_schema(by_alias=True)
    except GanstrataError:
        return None
    place = f"{info.kind}.{info.name}"
    for name, inner in own.pop("$defs", {}).items():
        definitions[f"{place}.{name}"] = _renamed(inner, place)
    definitions[place] = _renamed(own, place)
    reference = _reference(place)
    return reference if own.get("required") else {"anyOf": [reference, {"type": "null"}]}


def _renamed(schema: Any, place: str) -> Any:
    """Return a schema whose references point to the definitions of one plugin."""
    if isinstance(schema, dict):
        return {
            key: re.sub(r"^#/\$defs/", f"#/$defs/{place}.", value)
            if key == "$ref"
            else _renamed(value, place)
            for key, value in schema.items()
        }
    return [_renamed(item, place) for item in schema] if isinstance(schema, list) else schema


def _reference(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _allow_empty(owner: Schema) -> None:
    """Allow sections, lists and mappings with nothing below them, which mean their defaults."""
    required = owner.get("required", [])
    for name, field in owner.get("properties", {}).items():
        if name not in required and ("$ref" in field or field.get("type") in ("object", "array")):
            annotations = {key: field.pop(key) for key in ("description", "title", "default") if key in field}
            owner["properties"][name] = {"anyOf": [dict(field), {"type": "null"}], **annotations}
