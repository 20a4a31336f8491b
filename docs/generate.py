"""Write what the documentation takes from the code: tables of config fields, and the help of each command.

python docs/generate.py

A page holds it between `<!-- generated: NAME -->` and `<!-- end -->`.
tests/test_docs.py fails where it is out of date.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import click
from click.testing import CliRunner
from ganstrata.cli.main import COMMANDS, main
from ganstrata.core.config.field_rows import Row, rows
from ganstrata.core.config.schema import RunConfig
from ganstrata.core.config.segment_schema import SegmentConfig
from ganstrata.core.plugins.plugin_info import KINDS
from ganstrata.core.plugins.registry import registry
from pydantic import BaseModel

DOCS = Path(__file__).resolve().parent
OWN = "ganstrata "  # built-ins come from this distribution
BLOCK = re.compile(r"(<!-- generated: ([a-z ]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def table(model: type[BaseModel]) -> str:
    """Return a Markdown table of fields: name, allowed values, default, meaning; sections have rows too."""
    lines = ["| field | allowed | default | meaning |", "| --- | --- | --- | --- |"]
    for row in rows(model, quote="`"):
        allowed = row.allowed.replace("|", "or")
        lines.append(f"| `{row.path}` | {allowed} | {_default(row)} | {row.meaning} |".replace("|  |", "| |"))
    return "\n".join(lines)


def run_fields() -> str:
    """The table of the run's config."""
    return table(RunConfig)


def segment_fields() -> str:
    """The table of the config of `ganstrata segment`."""
    return table(SegmentConfig)


def plugin_fields() -> str:
    """A table per built-in plugin."""
    parts = []
    for kind in KINDS:
        for info in registry().infos(kind):
            if info.distribution.startswith(OWN):
                model = info.load().Config
                body = table(model) if model.model_fields else "No fields."
                parts.append(
                    f"### {info.name} ({kind})\n\n{info.summary[:1].upper()}{info.summary[1:]}.\n\n{body}"
                )
    return "\n\n".join(parts)


def commands() -> str:
    """The help of every command."""
    names: list[tuple[str, ...]] = [()]
    for name in COMMANDS:
        names.append((name,))
        command = main.get_command(click.Context(main), name)
        if isinstance(command, click.Group):
            names += [(name, inner) for inner in command.list_commands(click.Context(command))]
    runner = CliRunner()
    parts = []
    for words in names:
        text = runner.invoke(
            main, [*words, "--help"], prog_name="ganstrata", terminal_width=100
        ).output.rstrip()
        parts.append(f"## {' '.join(('ganstrata', *words))}\n\n```text\n{text}\n```")
    return "\n\n".join(parts)


SOURCES: dict[str, Callable[[], str]] = {
    "run fields": run_fields,
    "segment fields": segment_fields,
    "plugin fields": plugin_fields,
    "commands": commands,
}


def filled(page: str) -> str:
    """A page with its generated parts as the code has them now."""
    return BLOCK.sub(lambda m: f"{m[1]}\n{SOURCES[m[2]]()}\n\n{m[3]}", page)


def _default(row: Row) -> str:
    if row.required:
        return "required"
    if row.is_section or row.default == "":
        return ""
    return "none" if row.default is None else f"`{json.dumps(row.default)}`"


if __name__ == "__main__":
    for page in sorted(DOCS.glob("*.md")):
        text = page.read_text(encoding="utf-8")
        new = filled(text)
        if new != text:
            page.write_text(new, encoding="utf-8")
