"""`ganstrata model`: what a checkpoint is, how to make it portable, and which generators were published."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .errors import clean, reported
from .streams import say, tell
from .types import PATH

if TYPE_CHECKING:
    from ..core.checkpoints.inspect import Inspection
    from ..core.checkpoints.zoo import Published

LISTED = 1_000  # names that do not fit, of each kind
BAD = 2  # exit code for a file that cannot be used


@click.group()
def model() -> None:
    """Look into checkpoints, convert them, list published generators.

    \b
    Examples:
      ganstrata model inspect network.pkl
      ganstrata model convert network.pkl network.safetensors
      ganstrata model list --family StyleGAN2
    """


@model.command("inspect")
@click.argument("file")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_context
def inspect_model(ctx: click.Context, file: str, as_json: bool) -> None:
    """Say what FILE is: container, family, architecture, sizes, what is missing or superfluous, and how to use it.

    FILE is a checkpoint in any container, or bundled:NAME. Nothing in it is run. The exit code is 2 if no
    generator can be built from it.

    \b
    Examples:
      ganstrata model inspect bundled:rooms
      ganstrata model inspect G_ema.pth --json
    """
    with reported():
        from ..core.checkpoints.inspect import inspect

        found = inspect(file)
    say(json.dumps(found.plain(), indent=2) if as_json else "\n".join(_lines(found)))
    for fault in found.faults:
        tell(clean(f"Error: {found.file}: {fault}"))
    if found.faults:
        ctx.exit(BAD)


@model.command()
@click.argument("file")
@click.argument("out", type=PATH)
@click.option("--force", is_flag=True, help="Replace OUT if it exists.")
def convert(file: str, out: Path, force: bool) -> None:
    """Write the generator in FILE as safetensors to OUT, with a header that says what it is and where it came from.

    The new file is read back and compared before it gets its name. It has the fingerprint of the old one:
    boundaries that were learnt with either work with both.

    \b
    Example:
      ganstrata model convert network-snapshot.pkl network.safetensors
    """
    with reported():
        from ..core.checkpoints.convert import convert as write

        written = write(file, out, force=force)
    say(
        f"{written.path}: {written.header['family']}, {written.tensors} tensors, {_size(written.bytes)}, read back and equal"
    )
    say(f"SHA-256 {written.sha256}")


@model.command("list")
@click.argument("name", required=False)
@click.option("--family", help="One family, such as StyleGAN2.")
@click.option(
    "--dead/--alive",
    "dead",
    default=None,
    help="Links that are known to be dead, or all others (no link is tried).",
)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def list_models(name: str | None, family: str | None, dead: bool | None, as_json: bool) -> None:
    """List the generators that the papers published, as facts; nothing is downloaded and no link is tried.

    With NAME, part of a name or a pattern with *, everything that is known of those.

    \b
    Examples:
      ganstrata model list --family StyleGAN --alive
      ganstrata model list stylegan2_church
    """
    with reported():
        from ..core.checkpoints.zoo import find

        found = find(name, family=family, dead=dead)
    if as_json:
        say(
            json.dumps(
                [asdict(entry) | {"link": entry.link} for entry in found], indent=2, ensure_ascii=False
            )
        )
    elif name is not None:
        say("\n\n".join("\n".join(_details(entry)) for entry in found))
    else:
        say("\n".join(_table(found)))


def _lines(found: Inspection) -> list[str]:
    """An inspection for people."""
    rows: list[tuple[str, str]] = [
        ("container", f"{found.container}, {_size(found.bytes)}"),
        ("SHA-256", found.sha256),
    ]
    for part in found.parts:
        name = f"{part.name}: " if part.name else ""
        what = "; used" if part.used else f"; {part.what}" if len(found.parts) > 1 else ""
        rows.append(("part", f"{name}{part.tensors} tensors, {part.parameters:,} numbers{what}"))
    if found.plugin is not None:
        rows.append(("plugin", f"{found.plugin} from {found.distribution}: {found.reason}"))
    if found.family is not None:
        rows += [
            ("family", f"{found.family}, names of {found.layout}"),
            ("resolution", f"{found.resolution} pixels"),
            ("layers", str(found.layers)),
            ("sizes", f"latent z {found.latent_size}, code {found.code_size}"),
            ("classes", str(found.classes or "none")),
        ]
        assert found.architecture is not None
        rows += [
            ("network" if i == 0 else "", line) for i, line in enumerate(_architecture(found.architecture))
        ]
    rows += [
        (key, value)
        for key, value in (("licence", found.licence), ("source", found.source))
        if value is not None
    ]
    misfits = (
        ("missing", found.missing),
        ("superfluous", found.superfluous),
        ("wrong shape", found.misshapen),
        ("not finite", found.unreal),
    )
    for key, names in misfits:
        rows += [(key if i == 0 else "", name) for i, name in enumerate(names[:LISTED])]
        if len(names) > LISTED:
            rows.append(("", f"and {len(names) - LISTED} more, which --json lists"))
    rows += [("remark", remark) for remark in found.remarks]
    lines = [
        clean(found.file, lines=False),
        *(f"  {key:<12}{clean(value, lines=False)}" for key, value in rows),
    ]
    if found.config is not None and not found.faults:
        lines += ["", "In a config:", f"  {found.config}"]
    return lines


def _architecture(values: Mapping[str, Any]) -> list[str]:
    """A line for each value, and for each of a list of layers."""
    lines = []
    for key, value in values.items():
        words = key.replace("_", " ")
        if isinstance(value, list) and value and isinstance(value[0], Mapping):
            lines += [f"{words} {i}: {_plain(item)}" for i, item in enumerate(value)]
        else:
            lines.append(f"{words}: {_plain(value)}")
    return lines


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_plain(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_plain(item) for item in value) or "none"
    return (
        {None: "none", True: "yes", False: "no"}[value]
        if value is None or isinstance(value, bool)
        else str(value)
    )


def _table(found: Sequence[Published]) -> list[str]:
    head = ("name", "family", "pixels", "trained on", "truncation", "link")
    rows = [
        (entry.name, entry.family, str(entry.resolution), entry.data, entry.truncation, entry.link)
        for entry in found
    ]
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in [head, *rows]
    ]
    dead = sum(entry.link_dead is True for entry in found)
    return [
        *lines,
        "",
        f"{len(found)} models, {dead} with a link that is known to be dead. `ganstrata model list NAME` tells more.",
    ]


def _details(entry: Published) -> list[str]:
    """Everything that is known of a model, with what was not verified marked."""
    rows = [
        ("family", f"{entry.family}; the plugin `{entry.plugin}` reads it"),
        ("resolution", f"{entry.resolution} pixels"),
        ("trained on", entry.data),
        ("classes", str(entry.classes or "none")),
        ("latent size", str(entry.latent_size)),
        ("truncation", entry.truncation),
        ("published by", f"{entry.publisher}, {entry.page}"),
        ("file", f"{entry.file or 'see the list'} ({entry.container})"),
        ("link", f"{entry.url} ({entry.link}; {entry.evidence})"),
        ("also listed", entry.listed or ""),
        ("licence", entry.licence or "unknown"),
        ("list", f"{entry.pool}'s pool" if entry.pool else ""),
        ("note", entry.note),
        ("unverified", ", ".join(entry.unverified)),
    ]
    return [entry.name, *(f"  {key:<14}{value}" for key, value in rows if value)]


def _size(count: int) -> str:
    if count < 1_000_000:
        return f"{count / 1e3:.1f} kB"
    return f"{count / 1e6:.1f} MB" if count < 1_000_000_000 else f"{count / 1e9:.2f} GB"
