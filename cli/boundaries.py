"""Define `ganstrata boundaries`: list, import and export boundaries."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from ..core.messages import quantity
from .errors import clean, reported
from .options import PATH, Commands, run_argument
from .streams import say, tell

if TYPE_CHECKING:
    from ..core.interchange.survey import SurveyRow

COLUMNS = ("kind", "name", "level", "space", "shape", "layers", "generator", "remark")


@click.group(cls=Commands)
def boundaries() -> None:
    """List boundaries, import directions of other programs, or export them.

    \b
    Examples:
      ganstrata boundaries list runs/rooms
      ganstrata boundaries import boundaries/stylegan_bedroom --space w --assume bedroom256.pth --out bedroom
      ganstrata boundaries export runs/rooms --out for_higan
    """


@boundaries.command("list")
@click.argument("path", type=PATH)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_boundaries(path: Path, as_json: bool) -> None:
    """List the boundaries of a run, a folder or a file.

    For another folder, list what every file of arrays (.npy, .npz, .pt) holds, and every list.

    \b
    Example:
      ganstrata boundaries list runs/rooms
    """
    with reported():
        from ..core.interchange.survey import survey

        rows = survey(path)
    if as_json:
        say(json.dumps([asdict(row) for row in rows], indent=2))
    else:
        say("\n".join(_table(rows)))


@boundaries.command("import")
@click.argument("source", metavar="SOURCE...", nargs=-1, required=True, type=PATH)
@click.option(
    "--assume",
    required=True,
    metavar="GENERATOR",
    help="The generator of the boundaries: a checkpoint, bundled:NAME, or a run directory.",
)
@click.option(
    "--out",
    required=True,
    type=PATH,
    metavar="FOLDER",
    help="A folder for boundaries.safetensors and boundaries.json.",
)
@click.option(
    "--space",
    metavar="z|w|wp|s",
    help="Latent space of directions, where neither a list nor the file nor its shape says it.",
)
@click.option(
    "--as",
    "form",
    metavar="layers|rows|columns",
    help="What an array is: row l is that of layer l, or every row or column is a direction.  "
    "[default: as its shape says, else an error asks]",
)
@click.option(
    "--only",
    multiple=True,
    metavar="PATTERN",
    help="Only directions with matching names, such as 'factor.[0-9]'; may be repeated.",
)
@click.option(
    "--level",
    "levels",
    multiple=True,
    metavar="[NAME=]LEVEL",
    help="Level of all boundaries, or of NAME: layout, category, attribute, colour or object; "
    "may be repeated.  [default: as the files say]",
)
@click.option(
    "--layers",
    metavar="LAYERS",
    help="Layers of the boundaries, such as 6-11, or all.  [default: as the files say, else all]",
)
@click.option("--alias", default="imported", show_default=True, help="Boundaries are called ALIAS/name.")
@click.option(
    "--root",
    type=PATH,
    help="Base folder of paths in a list.  [default: that of the list, then the working directory]",
)
def import_boundaries(
    source: tuple[Path, ...],
    assume: str,
    out: Path,
    space: str | None,
    form: str | None,
    only: tuple[str, ...],
    levels: tuple[str, ...],
    layers: str | None,
    alias: str,
    root: Path | None,
) -> None:
    """Convert directions of other programs: SOURCE is a file of any format, a folder of them, or a list.

    Read are the boundaries of HiGAN, idinvert and InterFaceGAN, directions of e4e, ReStyle and AnycostGAN,
    factors of SeFa and rosinality, components of GANSpace, named directions, and what `export` writes. Most
    files do not name their generator, so --assume must; its D must match. A file that names another
    generator is refused. Nothing in the files is executed. A direction gets its name, and nothing else, from
    its file name.

    \b
    Examples:
      ganstrata boundaries import boundary_list.txt --assume bedroom256.pth --out bedroom
      ganstrata boundaries import age.pt --space w --level attribute --assume ffhq.pt --out age
      ganstrata boundaries import factor.pt --only 'factor.?' --level layout --assume ffhq.pt --out sefa
    """
    with reported():
        from ..core.interchange.assumed import identify_generator
        from ..core.interchange.importing import ImportOptions, check_free, write_imported
        from ..core.interchange.importing import import_boundaries as convert

        check_free(out)
        named = dict(text.rsplit("=", 1) for text in levels if "=" in text)
        common = [text for text in levels if "=" not in text]
        level = common[-1] if common else None
        options = ImportOptions(space, level, named, layers, alias, root, form, only)
        generator = identify_generator(assume)
        imported = convert(source, generator, options)
        write_imported(imported, out)
    _say(imported.remarks)
    say(
        f"{out}: {quantity(len(imported.boundaries), 'boundary', 'boundaries')} for the generator "
        f"{generator.fingerprint} "
        f"({clean(generator.words, lines=False)})"
    )


@boundaries.command("export")
@run_argument
@click.option(
    "--out",
    required=True,
    type=PATH,
    metavar="FOLDER",
    help="A folder for the files; nothing in it is overwritten.",
)
@click.option(
    "--as",
    "form",
    type=click.Choice(("npy", "list", "npz", "json", "safetensors")),
    default="list",
    show_default=True,
    help="Write HiGAN's .npy files alone or with a list, or one file that also states space, level, layers, "
    "offset and generator.",
)
@click.option(
    "--only",
    multiple=True,
    metavar="PATTERN",
    help="Only boundaries with matching names, such as 'category/*'; may be repeated.",
)
@click.option(
    "--absolute",
    is_flag=True,
    help="Write absolute paths to the list: HiGAN searches in its working directory.",
)
@click.option(
    "--samples",
    is_flag=True,
    help="Write the run's codes (w.npy, or codes.npz, which says what it holds) and scores too.",
)
def export_boundaries(
    run_dir: Path, out: Path, form: str, only: tuple[str, ...], absolute: bool, samples: bool
) -> None:
    """Write the boundaries of RUN, or of a folder, in HiGAN's format, or as one file for any program.

    What is written can be imported again.

    \b
    Examples:
      ganstrata boundaries export runs/rooms --out for_higan --only 'attribute/*'
      ganstrata boundaries export runs/rooms --out shared --as npz
    """
    with reported():
        from ..core.interchange.exporting import ExportForm
        from ..core.interchange.exporting import export_boundaries as convert
        from ..core.runs.run import Run

        run = Run.open(run_dir) if samples else None
        written = convert(
            run_dir, out, form=cast("ExportForm", form), only=only, absolute=absolute, samples=run
        )
    _say(written.remarks)
    say(f"{out}: {quantity(len(written.files), 'file')}")


def _say(remarks: Sequence[str]) -> None:
    for remark in remarks:
        tell(f"Note: {clean(remark)}")


def _table(rows: Sequence[SurveyRow]) -> list[str]:
    """Return the lines of a table, without empty columns."""
    cells = [[_cell(getattr(row, column)) for column in COLUMNS] for row in rows]
    columns = [i for i in range(len(COLUMNS)) if any(line[i] for line in cells)]
    lines = [[COLUMNS[i] for i in columns], *([line[i] for i in columns] for line in cells)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]


def _cell(value: object) -> str:
    return "" if value is None else clean(str(value), lines=False)
