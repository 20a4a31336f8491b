"""Import foreign boundaries for a generator that the user names.

Facts that a file does not state must be given by the user; they are never guessed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..boundaries.files import FILES, save_boundaries
from ..errors import ConfigError, Fault, RunError, UserError, nearest
from ..messages import visible
from ..plugins.records import LEVELS, Boundaries, Boundary
from ..storage.name_rules import fault_of
from ..storage.result_folder import staged
from ..strata.layers import parse_layers, show_layers
from .arrays import ForeignBoundary, read_boundary
from .assumed import AssumedGenerator
from .lists import SPACES, read_list, space_of

ALIAS = "imported"
STEM = "_boundary"  # ending of HiGAN's file names
OFFSET = "unknown, set to 0: the file has a normal only, so signed distances are those from the origin"


@dataclass(frozen=True)
class ImportOptions:
    """Hold what the user states about the boundaries.

    Attributes:
        space: latent space of files that are not in a list: z, w or wp (w+).
        level: level of the boundaries; overrides the level in a file.
        levels: levels of single boundaries, by name; these override all others.
        layers: layers of the boundaries, or `all`; overrides the layers in a file.
        alias: prefix of the names, like a scorer's alias: concepts are called alias/name.
        root: folder that the paths in a list are relative to; None for the list's own folder, then the
            working directory.
    """

    space: str | None = None
    level: str | None = None
    levels: Mapping[str, str] = field(default_factory=dict)
    layers: str | None = None
    alias: str = ALIAS
    root: Path | None = None


class NamedFile(NamedTuple):
    """A file to read, with its name and latent space, and `where` it was named, for messages."""

    where: tuple[str, ...]
    name: str
    space: str
    path: Path


@dataclass
class Imported:
    """Hold the imported boundaries, and remarks for the user."""

    boundaries: Boundaries
    remarks: list[str] = field(default_factory=list)


def import_boundaries(
    sources: Sequence[Path], generator: AssumedGenerator, options: ImportOptions | None = None
) -> Imported:
    """Import boundaries from lists, .npy files, and folders of .npy files.

    Args:
        sources: paths of the lists, files and folders.
        generator: the generator that the boundaries belong to.
        options: what the user states about them; None for the defaults.

    Raises:
        ConfigError: some boundaries cannot be imported; the error lists all faults.
        UserError: a list cannot be read, or an option is invalid.
    """
    options = options or ImportOptions()
    _check_options(options)
    faults: list[Fault] = []
    remarks: list[str] = []
    boundaries: dict[str, Boundary] = {}
    sources_of: dict[str, NamedFile] = {}
    for named in _named_files(sources, options, faults, remarks):
        try:
            boundary = _to_boundary(named, read_boundary(named.path), generator, options, remarks)
        except UserError as error:
            faults.append(Fault(named.where, str(error).removeprefix(str(named.path)).lstrip(": ")))
            continue
        if boundary.concept in boundaries:
            other = " -> ".join(sources_of[boundary.concept].where)
            faults.append(
                Fault(
                    named.where,
                    f"'{named.name}' was there already ({other}); "
                    "import one of them apart, with another --alias",
                )
            )
        boundaries[boundary.concept], sources_of[boundary.concept] = boundary, named
    names = {named.name for named in sources_of.values()}
    if not faults:  # else a name may be among those that failed
        unknown = [(name, level) for name, level in options.levels.items() if name not in names]
        faults += [
            Fault((f"--level {name}={level}",), f"no boundary has this name.{nearest(name, names)}")
            for name, level in unknown
        ]
    if faults:
        raise ConfigError("boundaries to import", faults)
    return Imported(Boundaries(boundaries.values()), remarks)


def write_imported(imported: Imported, out: Path) -> None:
    """Write boundaries.safetensors and boundaries.json to a folder.

    Raises:
        RunError: the folder is a run, or has boundaries already.
        GanstrataError: the folder is not writable.
    """
    check_free(out)
    with staged(out) as folder:
        save_boundaries(imported.boundaries, folder)


def check_free(out: Path) -> None:
    """Check that nothing in the folder would be overwritten; see `write_imported`."""
    existing = next((name for name in ("run.json", *FILES) if (out / name).exists()), None)
    if existing is not None:
        raise RunError(f"{out} has a {existing} already; give another --out")
    if out.exists() and not out.is_dir():
        raise RunError(f"{out} is a file; give a folder as --out")


def _check_options(options: ImportOptions) -> None:
    if options.space is not None and space_of(options.space) is None:
        raise UserError(
            f"--space {options.space}: there is no such latent space; {', '.join(SPACES)} are known"
        )
    for level in [*([] if options.level is None else [options.level]), *options.levels.values()]:
        if level not in LEVELS:
            raise UserError(
                f"--level {level}: there is no such level.{nearest(level, LEVELS)} "
                f"There are {', '.join(LEVELS)}"
            )
    if "/" in options.alias or fault_of(options.alias):
        raise UserError(
            f"--alias '{visible(options.alias)}': it {fault_of(options.alias) or 'holds a /'}; "
            "give a name without the characters / , and |"
        )


def _named_files(
    sources: Sequence[Path], options: ImportOptions, faults: list[Fault], remarks: list[str]
) -> Iterable[NamedFile]:
    """Yield every file to import, in order; add missing files to `faults`."""
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
            yield from _unlisted(files, options, faults)
        elif source.suffix == ".npy" or not source.exists():
            yield from _unlisted([source], options, faults)
        else:
            listed = read_list(source)
            remarks += listed.remarks
            for entry in listed.entries:
                where = (str(source), f"line {entry.line}")
                path = _resolve(entry.path, source.parent, options.root)
                if path is None:
                    looked = options.root if options.root is not None else f"{source.parent} and {Path.cwd()}"
                    faults.append(Fault(where, f"there is no file {entry.path} (looked in {looked})"))
                else:
                    yield NamedFile((*where, str(path)), entry.name, entry.space, path)


def _unlisted(files: Iterable[Path], options: ImportOptions, faults: list[Fault]) -> Iterable[NamedFile]:
    """Yield files that are not in a list, with the latent space that the user states."""
    for file in files:
        if not file.is_file():
            faults.append(Fault((str(file),), "there is no such file"))
        elif options.space is None:
            faults.append(
                Fault(
                    (str(file),),
                    f"it does not say which latent space it lies in; say --space {', --space '.join(SPACES)}",
                )
            )
        else:
            yield NamedFile(
                (str(file),), file.stem.removesuffix(STEM) or file.stem, space_of(options.space) or "", file
            )


def _resolve(written: str, folder: Path, root: Path | None) -> Path | None:
    """Return the file that a list names; None if there is none.

    HiGAN resolves paths from the working directory. A list that was copied with its files has them beside it.
    """
    places = [root] if root is not None else [folder, Path.cwd()]
    return next((place / written for place in places if _is_file(place / written)), None)


def _is_file(path: Path) -> bool:
    """Return whether there is such a file; False for a path that no system takes."""
    try:
        return path.is_file()
    except (OSError, ValueError):  # too long, or with a NUL
        return False


def _to_boundary(
    named: NamedFile,
    foreign: ForeignBoundary,
    generator: AssumedGenerator,
    options: ImportOptions,
    remarks: list[str],
) -> Boundary:
    """Check a boundary against the generator and return it as ganstrata's own.

    Raises:
        UserError: it does not fit the generator, or a fact is missing.
    """
    _check_shape(named, foreign, generator)
    kind = foreign.kind if foreign.kind in LEVELS else None
    level = options.levels.get(named.name, options.level or kind)
    if level is None:
        reason = (
            f"it calls its level '{foreign.kind}', which is not one of {', '.join(LEVELS)}"
            if foreign.kind
            else "it does not say its level"
        )
        raise UserError(f"{reason}; say it with --level, or --level {named.name}=LEVEL for this one alone")
    if kind is not None and kind != level:
        remarks.append(f"{named.path} calls itself {kind}; it becomes {level}, as --level says")
    written = options.layers if options.layers is not None else foreign.layers
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
            f"{named.path}: its normal had length {foreign.length:.6g}; it was normalised, "
            "so steps are not those of its authors"
        )
    if options.layers is not None and foreign.layers is not None and options.layers != foreign.layers:
        shown = "all layers" if layers is None else f"layers {show_layers(layers)}"
        remarks.append(
            f"{named.path} is meant for layers {foreign.layers}; it gets {shown}, as --layers says"
        )
    offset = np.zeros(foreign.normal.shape[:-1], dtype=np.float32)
    concept = named.name if "/" in named.name else f"{options.alias}/{named.name}"
    fault = fault_of(concept)
    if fault:
        raise UserError(f"its name '{visible(concept)}' {fault}; give it another in a list")
    normal = foreign.normal.astype(np.float32)
    return Boundary(
        concept, level, normal, offset, named.space, generator.fingerprint, layers=layers, facts=facts
    )


def _check_shape(named: NamedFile, foreign: ForeignBoundary, generator: AssumedGenerator) -> None:
    shape, size, layers = foreign.normal.shape, generator.code_size, generator.layers
    if named.space not in (generator.space, "w+"):
        raise UserError(
            f"it lies in space {named.space}, but the codes of this generator ({generator.words}) "
            f"are in {generator.space}"
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
