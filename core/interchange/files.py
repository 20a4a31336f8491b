"""Find the files to import: single ones, those in a folder, and those that a list names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from ..boundaries.files import FILES
from ..checkpoints import is_text
from ..errors import Fault
from ..messages import listed
from ..storage.paths import why_no_file
from .lists import read_list
from .scores import STEM as SCORES

STEM = "_boundary"  # ending of HiGAN's file names
SUFFIXES = (".npy", ".npz", ".pt")
"""Endings of the files of directions in a folder; files that are named may have any."""
CODES = ("z", "w", "wp", "codes")  # names of exported files of codes


class NamedFile(NamedTuple):
    """A file to read, with its name, and the latent space that a list gives it, or None.

    `where` is the place at which it was named, for messages.
    """

    where: tuple[str, ...]
    name: str
    space: str | None
    path: Path


def named_files(
    sources: Sequence[Path], root: Path | None, faults: list[Fault], remarks: list[str]
) -> Iterator[NamedFile]:
    """Yield every file to import, in order.

    Args:
        sources: paths of files, folders and lists.
        root: folder that the paths in a list are relative to; None for the list's own folder, then the
            working directory.
        faults: gets the files that are missing.
        remarks: gets the remarks of lists.

    Raises:
        UserError: a list cannot be read.
    """
    for source in sources:
        if source.is_dir():
            files = sorted(path for path in source.iterdir() if path.suffix in SUFFIXES and path.is_file())
            samples = [path for path in files if holds_samples(path)]
            files = [path for path in files if path not in samples]
            if samples:
                remarks.append(
                    f"{source}: left out as codes and scores, by their names: "
                    f"{listed(path.name for path in samples)}; name a file to import it nevertheless"
                )
            if not files:
                hint = (
                    "; it holds the project's own boundaries, which need no import"
                    if (source / FILES[1]).is_file()
                    else ""
                )
                words = f"there is no {', '.join(SUFFIXES)} file in this folder{hint}"
                faults.append(Fault((str(source),), words))
            yield from _single(files)
        elif not _is_file(source):
            faults.append(Fault((str(source),), why_no_file(source)))
        elif not _is_list(source):
            yield from _single([source])
        else:
            content = read_list(source)
            remarks += content.remarks
            for entry in content.entries:
                where = (str(source), f"line {entry.line}")
                path = _resolve(entry.path, source.parent, root)
                if path is None:
                    looked = root if root is not None else f"{source.parent} and {Path.cwd()}"
                    faults.append(Fault(where, f"there is no file {entry.path} (looked in {looked})"))
                else:
                    yield NamedFile((*where, str(path)), entry.name, entry.space, path)


def holds_samples(path: Path) -> bool:
    """Return whether a file has a name under which samples are exported: codes, or scores of a concept.

    A column of scores (N, 1) has the shape of a direction where N is the code size.

    >>> holds_samples(Path("out/wood_scores.npy")), holds_samples(Path("out/wood_boundary.npy"))
    (True, False)
    """
    return path.stem in CODES or path.stem.endswith(SCORES)


def _single(files: Iterable[Path]) -> Iterator[NamedFile]:
    for file in files:
        yield NamedFile((str(file),), file.stem.removesuffix(STEM) or file.stem, None, file)


def _is_list(path: Path) -> bool:
    """Return whether a file is a list of boundaries: text that is not JSON, under any name but an array's."""
    try:
        return path.suffix not in SUFFIXES and is_text(path)
    except OSError:
        return False  # the reader says what is wrong


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
