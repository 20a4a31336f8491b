"""Define `ganstrata model`: inspect and convert checkpoints, and list published generators."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..core.messages import escaped, quantity
from .errors import clean, reported
from .options import PATH, Commands
from .streams import say, tell

if TYPE_CHECKING:
    from ..core.checkpoints.inspect import Inspection
    from ..core.checkpoints.zoo import Published

LISTED = 1_000  # mismatched names shown of each kind
SHAPES = 40  # tensors shown with their shapes, of a file that no plugin knows
UNUSABLE = 2  # exit code for a file that cannot be used


@click.group(cls=Commands)
def model() -> None:
    """Inspect and convert checkpoints, or list published generators.

    \b
    Examples:
      ganstrata model inspect network.pkl
      ganstrata model convert network.pkl network.safetensors
      ganstrata model list --family StyleGAN2
    """


@model.command("inspect")
@click.argument("file")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def inspect_model(ctx: click.Context, file: str, as_json: bool) -> None:
    """Describe a checkpoint: its family, architecture and sizes, and how to use it.

    FILE is a checkpoint in any container, or bundled:NAME. Nothing in it is executed. The exit code is 2 if
    no generator can be built from it.

    \b
    Examples:
      ganstrata model inspect bundled:rooms
      ganstrata model inspect G_ema.pth --json
    """
    with reported():
        from ..core.checkpoints.inspect import inspect

        inspection = inspect(file)
    say(json.dumps(inspection.plain(), indent=2) if as_json else "\n".join(_lines(inspection)))
    for fault in inspection.faults:
        tell(clean(f"Error: {inspection.file}: {fault}"))
    if inspection.faults:
        ctx.exit(UNUSABLE)


@model.command()
@click.argument("file")
@click.argument("out", type=PATH)
@click.option("--force", is_flag=True, help="Replace OUT if it exists.")
def convert(file: str, out: Path, force: bool) -> None:
    """Write the generator in FILE to OUT as safetensors.

    A header says what the network is and where it came from. The new file is read back and compared before it
    gets its name. Both files have the same fingerprint, so boundaries learnt with one work with the other.

    \b
    Example:
      ganstrata model convert network-snapshot.pkl network.safetensors
    """
    with reported():
        from ..core.checkpoints.convert import convert as write

        written = write(file, out, force=force)
    say(
        f"{escaped(str(written.path))}: {written.header['family']}, {quantity(written.tensors, 'tensor')}, "
        f"{_size(written.bytes)}, "
        "read back and equal"
    )
    say(f"SHA-256 {written.sha256}")


@model.command("list")
@click.argument("name", required=False)
@click.option("--family", help="One family, such as StyleGAN2.")
@click.option(
    "--dead/--alive",
    "dead",
    default=None,
    help="Only models whose link is known to be dead, or all others.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_models(name: str | None, family: str | None, dead: bool | None, as_json: bool) -> None:
    """List the generators published with the papers.

    Nothing is downloaded and no link is tried. NAME is a name, part of one or a pattern with *: show
    everything known about the matching models. `ganstrata init` takes a whole name.

    \b
    Examples:
      ganstrata model list --family StyleGAN --alive
      ganstrata model list stylegan2_church
    """
    with reported():
        from ..core.checkpoints.zoo import find

        models = find(name, family=family, dead=dead)
    if as_json:
        say(
            json.dumps(
                [asdict(entry) | {"link": entry.link, "checkpoint": entry.checkpoint} for entry in models],
                indent=2,
                ensure_ascii=False,
            )
        )
    elif name is not None:
        say("\n\n".join("\n".join(_details(entry)) for entry in models))
    else:
        say("\n".join(_table(models)))


def _lines(inspection: Inspection) -> list[str]:
    """Return the lines that describe a checkpoint."""
    from ..core.plugins.records import colours_in_words, size_in_words

    rows: list[tuple[str, str]] = [
        ("container", f"{inspection.container}, {_size(inspection.bytes)}"),
        ("SHA-256", inspection.sha256),
    ]
    for part in inspection.parts:
        name = f"{part.name}: " if part.name else ""
        what = "; used" if part.used else f"; {part.what}" if len(inspection.parts) > 1 else ""
        rows.append(("part", f"{name}{quantity(part.tensors, 'tensor')}, {part.parameters:,} numbers{what}"))
    if inspection.plugin is None and inspection.parts:
        rows += _shapes(inspection.parts[0].shapes)
    if inspection.plugin is not None:
        rows.append(("plugin", f"{inspection.plugin} from {inspection.distribution}: {inspection.reason}"))
    if inspection.family is not None:
        pixels = inspection.resolution or 0, inspection.height or 0, inspection.width or 0
        rows += [
            ("family", f"{inspection.family}, names of {inspection.layout}"),
            ("resolution", size_in_words(*pixels, unit="pixels")),
            ("colours", colours_in_words(inspection.channels or 3, "white, or the config's `background`,")),
            ("layers", str(inspection.layers)),
            ("sizes", f"latent z {inspection.latent_size}, code {inspection.code_size}"),
            ("classes", str(inspection.classes or "none")),
        ]
        assert inspection.architecture is not None
        rows += [
            ("network" if i == 0 else "", line)
            for i, line in enumerate(_architecture(inspection.architecture))
        ]
    rows += [
        (key, value)
        for key, value in (("licence", inspection.licence), ("source", inspection.source))
        if value is not None
    ]
    misfits = (
        ("missing", inspection.missing),
        ("superfluous", inspection.superfluous),
        ("wrong shape", inspection.misshapen),
        ("not finite", inspection.unreal),
    )
    for key, names in misfits:
        rows += [(key if i == 0 else "", name) for i, name in enumerate(names[:LISTED])]
        if len(names) > LISTED:
            rows.append(("", f"and {len(names) - LISTED} more, which --json lists"))
    rows += [("assumed" if i == 0 else "", line) for i, line in enumerate(inspection.assumptions)]
    rows += [("remark", remark) for remark in inspection.remarks]
    lines = [
        clean(inspection.file, lines=False),
        *(f"  {key:<12}{clean(value, lines=False)}" for key, value in rows),
    ]
    if inspection.config is not None and not inspection.faults:
        lines += ["", "In a config:", f"  {inspection.config}"]
    return lines


def _shapes(shapes: Mapping[str, tuple[int, ...]]) -> list[tuple[str, str]]:
    """Return a row per tensor with its shape; from `SHAPES` on, the first and the last."""
    rows = [f"{name} {shape}" for name, shape in shapes.items()]
    if len(rows) > SHAPES:
        omitted = len(rows) - SHAPES
        rows[SHAPES // 2 : -(SHAPES // 2)] = [f"... {omitted} more, which --json lists"]
    return [("shapes" if i == 0 else "", row) for i, row in enumerate(rows)]


def _architecture(values: Mapping[str, Any]) -> list[str]:
    """Return a line per value, and per layer of a list of layers."""
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


def _table(models: Sequence[Published]) -> list[str]:
    """Return the lines of the table of models, and their number."""
    head = ("name", "family", "pixels", "trained on", "truncation", "link")
    rows = [
        (entry.name, entry.family, str(entry.resolution), entry.data, entry.truncation, entry.link)
        for entry in models
    ]
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in [head, *rows]
    ]
    dead = sum(entry.link_dead is True for entry in models)
    return [
        *lines,
        "",
        f"{quantity(len(models), 'model')}, {dead} with a link that is known to be dead. "
        "`ganstrata model list NAME` shows more.",
    ]


def _details(entry: Published) -> list[str]:
    """Return the lines that describe a published model, including which facts are unverified."""
    rows = [
        ("family", f"{entry.family}; the plugin `{entry.plugin}` reads it"),
        ("resolution", f"{entry.resolution} pixels"),
        ("trained on", entry.data),
        ("classes", str(entry.classes or "none")),
        ("latent size", str(entry.latent_size)),
        ("truncation", entry.truncation),
        ("published by", f"{entry.publisher}, {entry.page}"),
        ("file", f"{entry.file or 'see the list'} ({entry.container})"),
        ("link", f"{entry.url} ({entry.link} on {entry.checked}; {entry.evidence})"),
        ("mirror", entry.mirror or ""),
        ("SHA-256", f"{entry.sha256}, from {entry.sha256_from}" if entry.sha256 else ""),
        ("also listed", entry.listed or ""),
        ("licence", entry.licence or "unknown"),
        ("list", f"{entry.pool}'s pool" if entry.pool else ""),
        ("note", entry.note),
        ("unverified", ", ".join(entry.unverified)),
        ("config", f"ganstrata init {entry.name}"),
    ]
    return [entry.name, *(f"  {key:<14}{value}" for key, value in rows if value)]


def _size(count: int) -> str:
    if count < 1_000_000:
        return f"{count / 1e3:.1f} kB"
    return f"{count / 1e6:.1f} MB" if count < 1_000_000_000 else f"{count / 1e9:.2f} GB"
