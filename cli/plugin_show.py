"""Define `ganstrata plugins show`: where a plugin comes from, its options as a table, and an example."""

from __future__ import annotations

import inspect
import json
import sys
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

import click

from ..core.messages import visible
from ..core.plugins.registry import ALL_KINDS, Kind, PluginInfo, registry
from .errors import reported
from .streams import say

HEADING = ("option", "type", "default", "meaning")


@click.command()
@click.argument("name")
@click.option("--kind", type=click.Choice(ALL_KINDS), help="Which one, if several kinds have this name.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: a list, with one entry per plugin.")
def show(name: str, kind: Kind | None, as_json: bool) -> None:
    """Show where plugin NAME comes from, the options of its config, and an example.

    If plugins of several kinds have the name, all of them are shown.

    \b
    Examples:
      ganstrata plugins show linear_svm
      ganstrata plugins show hue --json
    """
    with reported():
        infos = registry().named(name) if kind is None else [registry().info(kind, name)]
        records = [_record(info) for info in infos]
    if as_json:
        say(json.dumps(records, indent=2, default=str))
        return
    for record in records:
        _print(record)


def _record(info: PluginInfo) -> dict[str, Any]:
    """Return what is known of a plugin: origin, docstring, options and an example.

    Raises:
        PluginBroken: it does not load.
    """
    record: dict[str, Any] = vars(info).copy()
    if info.kind == "command":
        return record | {"doc": "", "options": [], "example": f"ganstrata {info.name} --help"}
    from ..core.config.example import example_of

    plugin = info.load()
    section = example_of(info)
    example: Any = section
    if info.kind == "analysis":
        options = {} if section is None else section["analysis"].get("with", {})
        settings = "".join(f" --set {key}={json.dumps(value)}" for key, value in options.items())
        example = f"ganstrata analysis {info.name} runs/rooms{settings}"
    return record | {
        "class": f"{plugin.__module__}.{plugin.__qualname__}",
        "file": sys.modules[plugin.__module__].__file__,
        "doc": inspect.cleandoc(plugin.__doc__ or ""),
        "options": _options(plugin.Config),
        "example": example,
    }


def _options(model: Any) -> list[dict[str, Any]]:
    """Return a row per option: name, type in words, whether it is required, default and meaning."""
    return [
        {
            "option": field.alias or key,
            "type": _type(field.annotation),
            "required": field.is_required(),
            "default": None
            if field.is_required()
            else json.loads(
                json.dumps(field.get_default(call_default_factory=True, validated_data={}), default=str)
            ),
            "meaning": field.description or "",
        }
        for key, field in model.model_fields.items()
    ]


def _print(record: dict[str, Any]) -> None:
    """Print a record as text, its options as a table and its example as YAML."""
    say(f"{record['name']}: {record['kind']}, {visible(record['summary'])}")
    say(
        f"  from {visible(record['distribution'])}, {record.get('class', record['target'])}",
    )
    if "file" in record:
        say(f"  in {record['file']}")
    if record["doc"]:
        say("\n" + "\n".join(f"  {line}".rstrip() for line in record["doc"].splitlines()))
    if record["kind"] != "command":
        say("\n  Options:")
        _print_table(record["options"])
    example = record["example"]
    if example is not None:
        import yaml

        text = example if isinstance(example, str) else yaml.safe_dump(example, sort_keys=False).rstrip()
        say("\n  Example:" + "".join(f"\n    {line}" for line in text.splitlines()))
    say("")


def _print_table(options: list[dict[str, Any]]) -> None:
    if not options:
        say("    none")
        return
    rows = [
        HEADING,
        *(
            (
                row["option"],
                row["type"],
                "required" if row["required"] else json.dumps(row["default"]),
                visible(row["meaning"], 500),
            )
            for row in options
        ),
    ]
    widths = [min(max(len(row[c]) for row in rows), 30) for c in range(3)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        say(f"    {'  '.join([*cells, row[3]])}".rstrip())


def _type(annotation: Any) -> str:
    """Return a type in plain words: `int or none`, `sampled or int or list[int]`."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation is type(None):
        return "none"
    if origin in (Union, UnionType):
        return " or ".join(_type(argument) for argument in arguments)
    if origin is Literal:
        return " or ".join(str(argument) for argument in arguments)
    if arguments:
        name = getattr(origin, "__name__", str(origin))
        inner = ", ".join("..." if argument is Ellipsis else _type(argument) for argument in arguments)
        return f"{name}[{inner}]"
    return getattr(annotation, "__name__", str(annotation).replace("typing.", ""))
