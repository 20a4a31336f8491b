"""Reads a config file, applies --set, and reports every fault at once with its place."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from .config import AUTO, RunConfig
from .errors import ConfigError, Fault, GanstrataError, UserError, nearest
from .registry import Kind, registry

BRANCHES = ("literal[", "function-", "constrained-", "tuple[", "list[", "dict[")  # how pydantic's names of a union's branches begin


def read_config(path: Path, overrides: Sequence[str] = ()) -> RunConfig:
    """A validated config from YAML, TOML or JSON, with `key=value` overrides.

    Raises:
        UserError: the file is missing or is not of its format.
        ConfigError: the config has faults; the error lists all of them.
    """
    data = _parse(path)
    if not isinstance(data, dict):
        raise UserError(f"{path}: expected sections such as `generator:` and `scorers:`, got {_shown(data)}")
    for override in overrides:
        _override(data, override)
    return validate(data, str(path))


def validate(data: Mapping[str, Any], source: str) -> RunConfig:
    """A config from plain data; plugins' own configs are checked too.

    Raises:
        ConfigError: with every fault of the run's and of the plugins' configs.
    """
    faults: list[Fault] = []
    config: RunConfig | None = None
    data = _recognised(data, faults)
    try:
        config = RunConfig.model_validate(data)
    except ValidationError as error:
        faults += describe(error, RunConfig)
    for path, kind, name, options in _plugins(data):
        faults += check_options(kind, name, options, path)
    if faults or config is None:
        raise ConfigError(source, faults)
    return config


def _recognised(data: Mapping[str, Any], faults: list[Fault]) -> Mapping[str, Any]:
    """The same data, with the plugin's name where `use: auto` leaves it to the checkpoint."""
    generator = data.get("generator")
    if not (isinstance(generator, dict) and generator.get("use") == AUTO):
        return data
    from .recognition import plugin_for  # imports torch

    options = generator.get("with")
    checkpoint = options.get("checkpoint") if isinstance(options, dict) else None
    place = ("generator", "with", "checkpoint")
    try:
        if not isinstance(checkpoint, str):
            raise UserError(f"is missing: `use: {AUTO}` looks into a file to find its plugin")
        return {**data, "generator": {**generator, "use": plugin_for(checkpoint)}}
    except GanstrataError as error:
        faults.append(Fault(place, str(error)))
        return data


def check_options(kind: Kind, name: str, options: object, path: tuple[str | int, ...]) -> list[Fault]:
    """The faults of one plugin's config, under the path where it stands."""
    try:
        info = registry().info(kind, name)
        model = info.load().Config
    except GanstrataError as error:
        return [Fault((*path, "use"), str(error))]
    try:
        model.model_validate(options)
    except ValidationError as error:
        owner = f"'{name}' (from {info.distribution})"
        return describe(error, model, (*path, "with"), owner)
    return []


def describe(error: ValidationError, model: type[BaseModel], path: tuple[str | int, ...] = (), owner: str = "") -> list[Fault]:
    """Pydantic's findings in our words: value, what is allowed, nearest name."""
    reasons: dict[tuple[str | int, ...], dict[str, str]] = {}  # where: what is wrong, and the value that is
    for item in error.errors(include_url=False):
        where = tuple(part for part in item["loc"] if not _is_branch(part))
        given = ""
        if item["type"] == "extra_forbidden":
            known = _fields_at(model, where[:-1])
            whose = f" of {owner}" if owner else ""
            text = f"is not an option{whose}.{nearest(str(where[-1]), known)} Allowed: {', '.join(known)}"
        elif item["type"] == "missing":
            text = "is missing" + _purpose(model, where)
        else:
            reason = item["msg"].removeprefix("Value error, ")
            text = f"{reason[:1].lower()}{reason[1:]}"
            given = "" if isinstance(item["input"], dict) else f" (got {_shown(item['input'])})"
        reasons.setdefault(where, {})[text] = given
    # A value that fits no branch of a union has a reason for each.
    return [Fault((*path, *where), ", or ".join(found) + list(found.values())[-1]) for where, found in reasons.items()]


def _parse(path: Path) -> Any:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"no config file {path}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read {path}: {error}") from None
    try:
        if path.suffix == ".toml":
            return tomllib.loads(text)
        if path.suffix == ".json":
            return json.loads(text, object_pairs_hook=_without_repetition)
        return yaml.load(text, Loader=_YAML)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UserError(f"{path} is not well-formed: {error}") from None


class _YAML(yaml.SafeLoader):
    """YAML whose mappings name every key once; by itself the last of two values would win in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """As the base class does, after a look at the keys."""
        seen: set[tuple[str, str]] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if (key.tag, key.value) in seen:
                    raise yaml.constructor.ConstructorError(None, None, f"'{key.value}' is given twice", key.start_mark)
                seen.add((key.tag, key.value))
        return super().construct_mapping(node, deep=deep)


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"'{key}' is given twice")
        found[key] = value
    return found


def _override(data: dict[str, Any], override: str) -> None:
    key, separator, value = override.partition("=")
    if not separator or not key:
        raise UserError(f"--set {override}: write it as key=value, for example --set synthesis.samples=2000")
    try:
        parsed = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise UserError(f"--set {override}: the value is no YAML: {error}") from None
    place: Any = data
    parts = key.split(".")
    for part in parts[:-1]:
        if isinstance(place, list) and part.isdigit() and int(part) < len(place):
            place = place[int(part)]
        elif isinstance(place, dict):
            place = place.setdefault(part, {})
        else:
            raise UserError(f"--set {override}: there is nothing called '{part}' to set a value in")
    if isinstance(place, list) and parts[-1].isdigit() and int(parts[-1]) < len(place):
        place[int(parts[-1])] = parsed
    elif isinstance(place, dict):
        place[parts[-1]] = parsed
    else:
        raise UserError(f"--set {override}: '{'.'.join(parts[:-1])}' is a value, not a section")


def _plugins(data: Mapping[str, Any]) -> list[tuple[tuple[str | int, ...], Kind, str, object]]:
    """Where plugins are named in a config, as far as it is readable."""
    places: list[tuple[tuple[str | int, ...], Kind, object]] = [(("generator",), "generator", data.get("generator"))]
    scorers = data.get("scorers")
    if isinstance(scorers, list):
        places += [(("scorers", i), "scorer", item) for i, item in enumerate(scorers)]
    places.append((("boundary",), "boundary", data.get("boundary")))
    found = []
    for path, kind, item in places:
        if kind == "generator" and isinstance(item, dict) and item.get("use") == AUTO:
            continue  # its file told nothing, which is a fault already
        if isinstance(item, dict) and isinstance(item.get("use"), str):
            options = item.get("with", {})
            found.append((path, kind, item["use"], {} if options is None else options))
    return found


def _is_branch(part: object) -> bool:
    """Whether pydantic put the name of a union's branch into the path: a type's, or that of a nested config's class."""
    if isinstance(part, str) and len(part) > 1 and part[0].isupper() and part.isidentifier():
        return True
    return isinstance(part, str) and (part.startswith(BRANCHES) or part in ("int", "str", "float", "bool"))


def _field(model: type[BaseModel], name: object) -> FieldInfo | None:
    for key, info in model.model_fields.items():
        if name in (key, info.alias):
            return info
    return None


def _fields_at(model: type[BaseModel], path: tuple[str | int, ...]) -> list[str]:
    """Names of the fields allowed at a path."""
    current: type[BaseModel] | None = model
    for part in path:
        if isinstance(part, int) or current is None:
            continue
        info = _field(current, part)
        current = _model_in(info.annotation) if info is not None else None
    return [info.alias or key for key, info in current.model_fields.items()] if current is not None else []


def _model_in(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in get_args(annotation):
        found = _model_in(argument)
        if found is not None:
            return found
    return None


def _purpose(model: type[BaseModel], path: tuple[str | int, ...]) -> str:
    current: type[BaseModel] | None = model
    info: FieldInfo | None = None
    for part in path:
        if isinstance(part, int) or current is None:
            continue
        info = _field(current, part)
        current = _model_in(info.annotation) if info is not None else None
    return f": {info.description}" if info is not None and info.description else ""


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
