"""Define `ganstrata plugins show`: where a plugin comes from, its options as a table, and an example."""

from __future__ import annotations

import inspect
import json
import shlex
import sys
from typing import Any

import click

from ..core.messages import visible
from ..core.plugins.plugin_info import ALL_KINDS, Kind, PluginInfo
from ..core.plugins.registry import registry
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
        command, (module, _, name) = info.imported(), info.target.partition(":")
        return record | {
            "class": f"{module}.{name}",
            "file": sys.modules[module].__file__,
            "doc": inspect.cleandoc(getattr(command, "help", None) or ""),
            "options": [],
            "example": f"ganstrata {info.name} --help",
        }
    plugin = info.load()
    return record | {
        "class": f"{plugin.__module__}.{plugin.__qualname__}",
        "file": sys.modules[plugin.__module__].__file__,
        "doc": inspect.cleandoc(plugin.__doc__ or ""),
        "options": _options(plugin.Config),
        "example": _example(info),
    }


def _example(info: PluginInfo) -> str | None:
    """Return the section of a config that uses a plugin, or the command that uses an analysis or inverter.

    None if no options are known that its Config allows.
    """
    import yaml

    from ..core.config.example import example_options, section_of

    options = example_options(info)
    if options is None:
        return None
    if info.kind in ("analysis", "inverter"):
        words, prefix = ["analysis", info.name, "runs/rooms"], ""
        if info.kind == "inverter":
            prefix = f"{info.name}."
            words = ["invert", "picture.png", "--run", "runs/rooms", f"--{info.load().step}", info.name]
        for key, value in options.items():
            words += ["--set", shlex.quote(f"{prefix}{key}={json.dumps(value)}")]
        return " ".join(["ganstrata", *words])
    return yaml.safe_dump(section_of(info.kind, info.name, options), sort_keys=False).rstrip()


def _options(model: Any) -> list[dict[str, Any]]:
    """Return a row per option and per option of its sections."""
    from ..core.config.field_rows import rows

    return [
        {
            "option": row.path,
            "type": row.allowed,
            "required": row.required,
            "default": row.default,
            "meaning": row.meaning,
        }
        for row in rows(model)
    ]


def _print(record: dict[str, Any]) -> None:
    """Print a record as text, its options as a table."""
    say(f"{record['name']}: {record['kind']}, {visible(record['summary'])}")
    say(f"  from {visible(record['distribution'])}, {record['class']}")
    say(f"  in {record['file']}")
    if record["doc"]:
        say("\n" + "\n".join(f"  {line}".rstrip() for line in record["doc"].splitlines()))
    if record["kind"] != "command":
        say("\n  Options:")
        _print_table(record["options"])
    if record["example"] is not None:
        say("\n  Example:" + "".join(f"\n    {line}" for line in record["example"].splitlines()))
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
                _default(row),
                visible(row["meaning"], 500),
            )
            for row in options
        ),
    ]
    widths = [min(max(len(row[c]) for row in rows), 40) for c in range(3)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        say(f"    {'  '.join([*cells, row[3]])}".rstrip())


def _default(row: dict[str, Any]) -> str:
    """Return the default of an option as text; that of a section is in the rows of its options."""
    if row["required"]:
        return "required"
    return "" if row["type"] == "section" else json.dumps(row["default"])
