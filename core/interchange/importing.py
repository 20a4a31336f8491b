"""Import foreign boundaries for a generator that the user names.

Facts that a file does not state must be given by the user; they are never guessed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from ..boundaries.files import FILES, save_boundaries
from ..errors import ConfigError, Fault, RunError, UserError, nearest
from ..messages import visible
from ..plugins.boundary import Boundaries, Boundary
from ..plugins.records import LEVELS
from ..runs.lock import locked_results
from ..storage.name_rules import fault_of
from ..storage.result_folder import recover, staged
from .arrangement import FORMS, Sizes
from .assumed import AssumedGenerator
from .conversion import ALIAS, Stated, to_boundary
from .directions import read_directions
from .files import NamedFile, named_files
from .foreign import ForeignBoundary
from .lists import SPACES, space_of


@dataclass(frozen=True)
class ImportOptions:
    """Hold what the user states about the boundaries.

    Attributes:
        space: latent space of files that neither state nor imply it: z, w, wp (w+) or s.
        level: level of the boundaries; overrides the level in a file.
        levels: levels of single boundaries, by name; these override all others.
        layers: layers of the boundaries, or `all`; overrides the layers in a file.
        alias: prefix of the names, like a scorer's alias: concepts are called alias/name.
        root: folder that the paths in a list are relative to; None for the list's own folder, then the
            working directory.
        form: what the axes of an array mean where its shape does not tell: `layers` if row l is that of
            layer l, `rows` or `columns` if each is a direction.
        only: patterns for the names of boundaries; empty for all.
    """

    space: str | None = None
    level: str | None = None
    levels: Mapping[str, str] = field(default_factory=dict)
    layers: str | None = None
    alias: str = ALIAS
    root: Path | None = None
    form: str | None = None
    only: Sequence[str] = ()


@dataclass
class Imported:
    """Hold the imported boundaries, and remarks for the user."""

    boundaries: Boundaries
    remarks: list[str] = field(default_factory=list)


def import_boundaries(
    sources: Sequence[Path], generator: AssumedGenerator, options: ImportOptions | None = None
) -> Imported:
    """Import boundaries from files of any format, folders of them, and lists.

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
    imported: dict[str, tuple[Boundary, NamedFile]] = {}
    known: list[str] = []  # names as files and lists give them, for --level and --only
    for named, foreign in _read_all(sources, generator, options, faults, remarks):
        known.append(named.name)
        if options.only and not any(fnmatchcase(named.name, pattern) for pattern in options.only):
            continue
        stated = Stated(
            named.space or _space(options),
            options.levels.get(named.name, options.level),
            options.layers,
            options.alias,
        )
        try:
            boundary = to_boundary(named, foreign, generator, stated, remarks)
        except UserError as error:
            where = (*named.where, visible(foreign.name)) if foreign.name else named.where
            faults.append(Fault(where, _without(error, named.path)))
            continue
        if boundary.name in imported:
            other = " -> ".join(imported[boundary.name][1].where)
            faults.append(
                Fault(
                    named.where,
                    f"'{named.name}' was there already ({other}); "
                    "import one of them apart, with another --alias",
                )
            )
        imported[boundary.name] = boundary, named
    if not faults:  # else a name may be among those that failed
        faults += _unused(options, known)
    if faults:
        raise ConfigError("boundaries to import", faults)
    boundaries = Boundaries(boundary for boundary, _ in imported.values())
    return Imported(boundaries, remarks + _lengths(boundaries) + _assumed(boundaries, generator))


def _read_all(
    sources: Sequence[Path],
    generator: AssumedGenerator,
    options: ImportOptions,
    faults: list[Fault],
    remarks: list[str],
) -> Iterable[tuple[NamedFile, ForeignBoundary]]:
    """Yield every direction of every file with its name; add files that cannot be read to `faults`."""
    sizes = Sizes(generator.layers, generator.code_size, generator.styles)
    for named in named_files(sources, options.root, faults, remarks):
        space = named.space or _space(options)
        try:
            directions, left = read_directions(named.path, sizes, form=options.form, space=space)
        except UserError as error:
            faults.append(Fault(named.where, _without(error, named.path)))
            continue
        remarks += left
        for foreign in directions:
            yield named._replace(name=_name(named, foreign, len(directions) > 1)), foreign


def _name(named: NamedFile, foreign: ForeignBoundary, several: bool) -> str:
    """Return the name of a direction: the file's own, else that in a list or of the file, with a number."""
    if foreign.numbered or (several and named.space is not None):
        return f"{named.name}.{foreign.name}"
    return foreign.name if foreign.name and named.space is None else named.name


def _space(options: ImportOptions) -> str | None:
    """Return ganstrata's name of the space that the user states; HiGAN's lists have no s."""
    text = options.space or ""
    return "s" if text.strip().lower() == "s" else space_of(text)


def _without(error: UserError, path: Path) -> str:
    """Return a message without the path at its beginning, which the fault shows already."""
    return str(error).removeprefix(str(path)).lstrip(": ")


def _unused(options: ImportOptions, known: Sequence[str]) -> list[Fault]:
    """Return a fault for every name and pattern in the options that no boundary has."""
    names = sorted(set(known))
    wrong = [
        (f"--level {name}={level}", name) for name, level in options.levels.items() if name not in names
    ] + [
        (f"--only {pattern}", pattern)
        for pattern in options.only
        if not any(fnmatchcase(name, pattern) for name in names)
    ]
    return [Fault((place,), f"no boundary has this name.{nearest(name, names)}") for place, name in wrong]


def _lengths(boundaries: Boundaries) -> list[str]:
    """Return a remark for every file whose normals were not of length 1."""
    lengths: dict[str, list[float]] = {}
    for boundary in boundaries:
        if "length" in boundary.facts:
            lengths.setdefault(boundary.facts["source"], []).append(float(boundary.facts["length"]))
    return [
        (
            f"{source}: its normal had length {values[0]:g}; it was normalised, "
            if len(values) == 1
            else f"{source}: {len(values)} normals had lengths from {min(values):g} to {max(values):g}; "
            "they were normalised, "
        )
        + "so steps are not those of its authors"
        for source, values in lengths.items()
    ]


def _assumed(boundaries: Boundaries, generator: AssumedGenerator) -> list[str]:
    """Return the remark that the generator of some boundaries is known from the user alone."""
    names = [b.name for b in boundaries if "assumed_generator" in b.facts]
    if not names:
        return []
    whose = "no file says" if len(names) == len(boundaries) else f"for {len(names)} of them no file says"
    return [
        f"assumed: {whose} which generator these boundaries belong to; they are taken to be of "
        f"{generator.fingerprint} ({generator.words}), as --assume says"
    ]


def write_imported(imported: Imported, out: Path) -> None:
    """Write boundaries.safetensors and boundaries.json to a folder.

    Raises:
        RunError: the folder is a run, or has boundaries already.
        GanstrataError: the folder is not writable.
    """
    with locked_results(out):
        _check_free(out)
        with staged(out, FILES[1]) as folder:
            save_boundaries(imported.boundaries, folder)


def check_free(out: Path) -> None:
    """Check that nothing in the folder would be overwritten; see `write_imported`."""
    with locked_results(out):
        _check_free(out)


def _check_free(out: Path) -> None:
    recover(out, FILES[1])  # what a killed process left
    existing = next((name for name in ("run.json", *FILES) if (out / name).exists()), None)
    if existing is not None:
        raise RunError(f"{out} has a {existing} already; give another --out")
    if out.exists() and not out.is_dir():
        raise RunError(f"{out} is a file; give a folder as --out")


def _check_options(options: ImportOptions) -> None:
    if options.space is not None and _space(options) is None:
        raise UserError(
            f"--space {options.space}: there is no such latent space; {', '.join(SPACES)}, s are known"
        )
    if options.form is not None and options.form not in FORMS:
        raise UserError(f"--as {options.form}: there is no such form; {', '.join(FORMS)} are known")
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
