"""HiGAN's lists of boundaries: one `(name, space): path` per line."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..errors import ConfigError, Fault, UserError
from ..storage.disk import open_file
from ..text import visible

LINE = re.compile(r"\((?P<name>[^(),]*[^(),\s][^(),]*),(?P<space>[^(),]*)\)\s*:(?P<path>.*\S.*)")
SPACES = {"z": "z", "w": "w", "wp": "w+"}
"""HiGAN's names of latent spaces to ours."""
OFF = "DISABLE"
LENGTH = 5_000  # characters of a line
LONGEST = 1_000_000  # bytes; a list of every boundary ever published has a few thousand


@dataclass(frozen=True)
class Entry:
    """One line of a list; `space` is one of ours."""

    name: str
    space: str
    path: str
    line: int


@dataclass(frozen=True)
class BoundaryList:
    """What a list names.

    Attributes:
        entries: in order; of a (name, space) that comes twice, the last, as HiGAN has it.
        disabled: numbers of the lines that are switched off.
        remarks: what a reader should know, in words.
    """

    entries: tuple[Entry, ...]
    disabled: tuple[int, ...]
    remarks: tuple[str, ...]


def space_of(text: str) -> str | None:
    """Our name of a latent space, of HiGAN's or of ours, in any case; None if there is no such space.

    >>> space_of("WP"), space_of("w+"), space_of("q")
    ('w+', 'w+', None)
    """
    word = text.strip().lower()
    return SPACES.get(word, word if word in SPACES.values() else None)


def parse_list(text: str, source: str) -> BoundaryList:
    """The entries of a list; blank lines, and lines that begin with `#` or `DISABLE`, are passed over.

    Raises:
        ConfigError: lines that cannot be read, all of them with their numbers.
        UserError: nothing is left.

    Example:
        >>> parse_list("(wood, W): wood_boundary.npy\\nDISABLE(dirt, w): dirt.npy", "a.txt").entries
        (Entry(name='wood', space='w', path='wood_boundary.npy', line=1),)
    """
    found: dict[tuple[str, str], Entry] = {}
    disabled, remarks, faults = [], [], []
    for number, raw in enumerate(text.removeprefix("\ufeff").splitlines(), start=1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        if line.startswith(OFF):
            disabled.append(number)
            continue
        match = LINE.fullmatch(line) if len(line) <= LENGTH else None
        if match is None:
            faults.append(
                Fault((f"line {number}",), f"'{visible(line, 80)}' is not of the form `(name, space): path`")
            )
            continue
        space = space_of(match["space"])
        if space is None:
            faults.append(
                Fault(
                    (f"line {number}",),
                    f"'{visible(match['space'].strip())}' is no latent space; {', '.join(SPACES)} are known",
                )
            )
            continue
        entry = Entry(match["name"].strip(), space, match["path"].strip(), number)
        before = found.pop((entry.name, space), None)
        if before is not None:
            remarks.append(
                f"{source}: '{visible(entry.name)}' in {space} comes in line {before.line} and in line {number}; the last counts"
            )
        found[entry.name, space] = entry
    if faults:
        raise ConfigError(source, faults)
    if not found:
        switched = f"; {len(disabled)} lines are switched off" if disabled else ""
        raise UserError(
            f"{source}: the list names no boundary{switched}. Its lines have the form `(name, space): path`"
        )
    return BoundaryList(tuple(found.values()), tuple(disabled), tuple(remarks))


def read_list(path: Path) -> BoundaryList:
    """The list in a file.

    Raises:
        UserError: the file is missing, is no text, or cannot be read as a list.
    """
    try:
        with open_file(path) as file:
            content = file.read(LONGEST + 1)
        if len(content) > LONGEST:
            raise UserError(f"{path}: a list of boundaries has less than {LONGEST} bytes")
        return parse_list(content.decode("utf-8"), str(path))
    except UnicodeDecodeError:
        raise UserError(f"{path}: neither an .npy file nor a list of boundaries, which is text") from None
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from None


def list_text(entries: Iterable[tuple[str, str, str]]) -> str:
    """A list of (name, our space, path) that HiGAN reads: no comment and no blank line, which its reader does not survive.

    >>> list_text([("wood", "w+", "wood_boundary.npy")])
    '(wood, wp): wood_boundary.npy\\n'
    """
    theirs = {ours: name for name, ours in SPACES.items()}
    return "".join(f"({name}, {theirs[space]}): {path}\n" for name, space, path in entries)
