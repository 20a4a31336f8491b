"""Foreign boundaries become the project's own, for a generator that the user names; what they do not say is asked for, never guessed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..boundaries.files import FILES, save_boundaries
from ..errors import ConfigError, Fault, RunError, UserError, nearest
from ..plugins.records import LEVELS, Boundaries, Boundary
from ..storage.naming import fault_of
from ..storage.result_folder import staged
from ..strata.layers import parse_layers, show_layers
from ..text import visible
from .arrays import ForeignBoundary, read_boundary
from .assumed import Assumed
from .lists import SPACES, read_list, space_of

ALIAS = "imported"
STEM = "_boundary"  # HiGAN ends its files so
OFFSET = "unknown, set to 0: the file has a normal only, so signed distances are those from the origin"


@dataclass(frozen=True)
class ImportOptions:
    """What the user says of the boundaries.

    Attributes:
        space: of files that no list names: z, w or wp (w+).
        level: of those whose file names none; where both do, this one counts.
        levels: the same for single boundaries, by name; these count before all.
        layers: in place of what the files say; `all` for every layer.
        alias: before the names, as a scorer's alias is: concepts are called alias/name.
        root: folder that a list's paths begin at; None: the list's own folder, then the working directory.
    """

    space: str | None = None
    level: str | None = None
    levels: Mapping[str, str] = field(default_factory=dict)
    layers: str | None = None
    alias: str = ALIAS
    root: Path | None = None


class Named(NamedTuple):
    """A file to read, with what is known of it: `where` it was named, for messages."""

    where: tuple[str, ...]
    name: str
    space: str
    path: Path


@dataclass
class Imported:
    """Boundaries, and what a reader should know, in words."""

    boundaries: Boundaries
    remarks: list[str] = field(default_factory=list)


def import_boundaries(
    sources: Sequence[Path], generator: Assumed, ask: ImportOptions | None = None
) -> Imported:
    """Boundaries from lists, .npy files, and folders of .npy files.

    Raises:
        ConfigError: whatever does not fit, all of it at once.
        UserError: a list that cannot be read, or an option that means nothing.
    """
    ask = ask or ImportOptions()
    _check(ask)
    faults: list[Fault] = []
    remarks: list[str] = []
    found: dict[str, Boundary] = {}
    places: dict[str, Named] = {}
    for named in _named(sources, ask, faults, remarks):
        try:
            boundary = _boundary(named, read_boundary(named.path), generator, ask, remarks)
        except UserError as error:
            faults.append(Fault(named.where, str(error).removeprefix(str(named.path)).lstrip(": ")))
            continue
        if boundary.concept in found:
            other = " -> ".join(places[boundary.concept].where)
            faults.append(
                Fault(
                    named.where,
                    f"'{named.name}' was there already ({other}); import one of them apart, with another --alias",
                )
            )
        found[boundary.concept], places[boundary.concept] = boundary, named
    names = {named.name for named in places.values()}
    if not faults:  # else a name may be among those that failed
        unknown = [(name, level) for name, level in ask.levels.items() if name not in names]
        faults += [
            Fault((f"--level {name}={level}",), f"no boundary has this name.{nearest(name, names)}")
            for name, level in unknown
        ]
    if faults:
        raise ConfigError("boundaries to import", faults)
    return Imported(Boundaries(found.values()), remarks)


def write_imported(imported: Imported, out: Path) -> None:
    """boundaries.safetensors and boundaries.json, in a folder that has none.

    Raises:
        RunError: the folder is a run, or has boundaries.
        GanstrataError: it cannot be written.
    """
    check_free(out)
    with staged(out) as place:
        save_boundaries(imported.boundaries, place)


def check_free(out: Path) -> None:
    """Refuse a folder in which something would be lost; see `write_imported`."""
    taken = next((name for name in ("run.json", *FILES) if (out / name).exists()), None)
    if taken is not None:
        raise RunError(f"{out} has a {taken} already; give another --out")
    if out.exists() and not out.is_dir():
        raise RunError(f"{out} is a file; give a folder as --out")


def _check(ask: ImportOptions) -> None:
    if ask.space is not None and space_of(ask.space) is None:
        raise UserError(f"--space {ask.space}: there is no such latent space; {', '.join(SPACES)} are known")
    for level in [*([] if ask.level is None else [ask.level]), *ask.levels.values()]:
        if level not in LEVELS:
            raise UserError(
                f"--level {level}: there is no such level.{nearest(level, LEVELS)} There are {', '.join(LEVELS)}"
            )
    if "/" in ask.alias or fault_of(ask.alias):
        raise UserError(
            f"--alias '{visible(ask.alias)}': it {fault_of(ask.alias) or 'holds a /'}; give a name without the signs / , and |"
        )


def _named(
    sources: Sequence[Path], ask: ImportOptions, faults: list[Fault], remarks: list[str]
) -> Iterable[Named]:
    """Every file, in order; those that are missing become faults."""
    for source in sources:
        if source.is_dir():
            files = sorted(source.glob("*.npy"))
            if not files:
                hint = (
                    "; it holds the project's own boundaries, which need no import"
                    if (source / FILES[1]).is_file()
                    else ""
                )
                faults.append(Fault((str(source),), f"there is no .npy file in this folder{hint}"))
            yield from _alone(files, ask, faults)
        elif source.suffix == ".npy" or not source.exists():
            yield from _alone([source], ask, faults)
        else:
            listed = read_list(source)
            remarks += listed.remarks
            for entry in listed.entries:
                where = (str(source), f"line {entry.line}")
                path = _resolve(entry.path, source.parent, ask.root)
                if path is None:
                    looked = ask.root if ask.root is not None else f"{source.parent} and {Path.cwd()}"
                    faults.append(Fault(where, f"there is no file {entry.path} (looked in {looked})"))
                else:
                    yield Named((*where, str(path)), entry.name, entry.space, path)


def _alone(files: Iterable[Path], ask: ImportOptions, faults: list[Fault]) -> Iterable[Named]:
    """Files that no list names: their space is the user's to say."""
    for file in files:
        if not file.is_file():
            faults.append(Fault((str(file),), "there is no such file"))
        elif ask.space is None:
            faults.append(
                Fault(
                    (str(file),),
                    f"it does not say which latent space it lies in; say --space {', --space '.join(SPACES)}",
                )
            )
        else:
            yield Named(
                (str(file),), file.stem.removesuffix(STEM) or file.stem, space_of(ask.space) or "", file
            )


def _resolve(written: str, folder: Path, root: Path | None) -> Path | None:
    """The file that a list means: HiGAN took paths from the working directory, a list that travels has them beside it."""
    places = [root] if root is not None else [folder, Path.cwd()]
    return next((place / written for place in places if (place / written).is_file()), None)


def _boundary(
    named: Named, foreign: ForeignBoundary, generator: Assumed, ask: ImportOptions, remarks: list[str]
) -> Boundary:
    """One boundary, held against the generator.

    Raises:
        UserError: it does not fit, or does not say what it must.
    """
    _check_shape(named, foreign, generator)
    kind = foreign.kind if foreign.kind in LEVELS else None
    level = ask.levels.get(named.name, ask.level or kind)
    if level is None:
        said = (
            f"it calls its level '{foreign.kind}', which is none of {', '.join(LEVELS)}"
            if foreign.kind
            else "it does not say its level"
        )
        raise UserError(f"{said}; say it with --level, or --level {named.name}=LEVEL for this one alone")
    if kind is not None and kind != level:
        remarks.append(f"{named.path} calls itself {kind}; it becomes {level}, as --level says")
    written = ask.layers if ask.layers is not None else foreign.layers
    layers = None if written is None or written == "all" else parse_layers(written, generator.layers)
    facts = {
        "source": str(named.path),
        "sha256": foreign.sha256,
        "container": foreign.container,
        "assumed_generator": generator.words,
        "offset": OFFSET,
    }
    if not foreign.was_unit:
        facts["length"] = f"{foreign.length:.6g}"
        remarks.append(
            f"{named.path}: its normal had length {foreign.length:.6g}; it was normalised, so steps are not those of its authors"
        )
    if ask.layers is not None and foreign.layers is not None and ask.layers != foreign.layers:
        shown = "all layers" if layers is None else f"layers {show_layers(layers)}"
        remarks.append(
            f"{named.path} is meant for layers {foreign.layers}; it gets {shown}, as --layers says"
        )
    offset = np.zeros(foreign.normal.shape[:-1], dtype=np.float32)
    concept = named.name if "/" in named.name else f"{ask.alias}/{named.name}"
    fault = fault_of(concept)
    if fault:
        raise UserError(f"its name '{visible(concept)}' {fault}; give it another in a list")
    normal = foreign.normal.astype(np.float32)
    return Boundary(
        concept, level, normal, offset, named.space, generator.fingerprint, layers=layers, facts=facts
    )


def _check_shape(named: Named, foreign: ForeignBoundary, generator: Assumed) -> None:
    shape, size, layers = foreign.normal.shape, generator.code_size, generator.layers
    if named.space not in (generator.space, "w+"):
        raise UserError(
            f"it lies in space {named.space}, but the codes of this generator ({generator.words}) are in {generator.space}"
        )
    if (named.space == "w+") != (len(shape) == 2):
        has, needs = (
            ("a normal per layer", "one normal (1, D)")
            if len(shape) == 2
            else ("one normal", "a normal per layer (1, L, D)")
        )
        raise UserError(
            f"it has {has}, shape {shape}, but is said to lie in {named.space}, where a boundary has {needs}"
        )
    if shape[-1] != size:
        raise UserError(
            f"it has D = {shape[-1]}, but the codes of this generator ({generator.words}) have D = {size}"
        )
    if len(shape) == 2 and shape[0] != layers:
        raise UserError(
            f"it has normals for {shape[0]} layers, but this generator ({generator.words}) has {layers}"
        )
