"""Write what the documentation takes from the code: tables of config fields, and the help of each command.

python docs/generate.py

A page holds it between `<!-- generated: NAME -->` and `<!-- end -->`.
tests/test_docs.py fails where it is out of date.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import click
from click.testing import CliRunner
from ganstrata.cli.main import COMMANDS, main
from ganstrata.core.config.schema import RunConfig
from ganstrata.core.plugins.registry import KINDS, registry
from pydantic import BaseModel
from pydantic.fields import FieldInfo

DOCS = Path(__file__).resolve().parent
WORDS = {str: "text", int: "whole number", float: "number", bool: "true or false"}
OWN = "ganstrata "  # built-ins come from this distribution
BLOCK = re.compile(r"(<!-- generated: ([a-z ]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def fields(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Every field of a config with its path; lists of sections show as `name[]`."""
    for key, field in model.model_fields.items():
        path = f"{prefix}{field.alias or key}"
        yield path, field
        inner = _section(field.annotation)
        if inner is not None:
            is_list = not (isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel))
            yield from fields(inner, f"{path}{'[]' if is_list else ''}.")


def table(rows: Iterator[tuple[str, FieldInfo]]) -> str:
    """Return a Markdown table of fields: name, allowed values, default, meaning; sections have rows too."""
    lines = ["| field | allowed | default | meaning |", "| --- | --- | --- | --- |"]
    for path, field in rows:
        section = _section(field.annotation)
        allowed = "section" if section is not None and not get_args(field.annotation) else _allowed(field)
        meaning = (
            field.description or (section.__doc__ or "").split("\n")[0]
            if section is not None
            else field.description or ""
        )
        lines.append(
            f"| `{path}` | {allowed} | {_default(field, section)} | {meaning} |".replace("|  |", "| |")
        )
    return "\n".join(lines)


def run_fields() -> str:
    """The table of the run's config."""
    return table(fields(RunConfig))


def plugin_fields() -> str:
    """A table per built-in plugin."""
    parts = []
    for kind in KINDS:
        for info in registry().infos(kind):
            if info.distribution.startswith(OWN):
                model = info.load().Config
                body = table(fields(model)) if model.model_fields else "No fields."
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
    "plugin fields": plugin_fields,
    "commands": commands,
}


def filled(page: str) -> str:
    """A page with its generated parts as the code has them now."""
    return BLOCK.sub(lambda m: f"{m[1]}\n{SOURCES[m[2]]()}\n\n{m[3]}", page)


def _section(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(
        (section for argument in get_args(annotation) if (section := _section(argument)) is not None), None
    )


def _allowed(field: FieldInfo) -> str:
    text = re.sub(r"typing\.|annotated_types\.|ganstrata\.[\w.]*\.", "", _type(field.annotation))
    limits = [
        f"{sign} {_number(value)}"
        for rule in _rules(field)
        for attribute, sign in (("gt", "above"), ("ge", "at least"), ("lt", "below"), ("le", "at most"))
        if (value := getattr(rule, attribute, None)) is not None
    ]
    return ", ".join([text, *limits]).replace("|", "or")


def _rules(field: FieldInfo) -> list[Any]:
    """Limits of a field, and those of the branches of a union."""
    branches = [
        rule for argument in get_args(field.annotation) for rule in getattr(argument, "__metadata__", ())
    ]
    return [
        *field.metadata,
        *(
            rule
            for branch in branches
            for rule in (branch.metadata if isinstance(branch, FieldInfo) else [branch])
        ),
    ]


def _type(annotation: Any) -> str:
    if annotation is type(None):
        return "none"
    if isinstance(annotation, type) and not get_args(annotation):
        return "section" if issubclass(annotation, BaseModel) else WORDS[annotation]
    origin, inner = getattr(annotation, "__origin__", None), get_args(annotation)
    if hasattr(annotation, "__metadata__"):
        return _type(inner[0] if inner else origin)
    if str(annotation).startswith("typing.Literal"):
        return " or ".join(f"`{value}`" for value in inner)
    if origin is list:
        return f"list of {_type(inner[0])}"
    if origin is tuple:
        return f"[{', '.join(_type(part) for part in inner)}]"
    if origin is dict:
        return "mapping"
    return " or ".join(_type(part) for part in inner)


def _default(field: FieldInfo, section: type[BaseModel] | None) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True, validated_data={})
    if section is not None and not isinstance(value, list):
        return ""
    return "none" if value is None else "" if value == "" else f"`{json.dumps(value, default=str)}`"


def _number(value: float) -> str:
    return "2^63 - 1" if value == 2**63 - 1 else f"{value:g}"


if __name__ == "__main__":
    for page in sorted(DOCS.glob("*.md")):
        text = page.read_text(encoding="utf-8")
        new = filled(text)
        if new != text:
            page.write_text(new, encoding="utf-8")
