"""Read and write HiGAN's lists of boundaries, with one `(name, space): path` per line."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..errors import ConfigError, Fault, UserError
from ..messages import quantity, visible
from ..storage.disk import open_file

NUMBERS = 2_000  # characters of a text that are looked at
NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?", re.IGNORECASE)
LINE = re.compile(r"\((?P<name>[^(),]*[^(),\s][^(),]*),(?P<space>[^(),]*)\)\s*:(?P<path>.*\S.*)")
SPACES = {"z": "z", "w": "w", "wp": "w+"}
"""Latent spaces: HiGAN's names to ganstrata's."""
OFF = "DISABLE"  # prefix of a line that is switched off
LENGTH = 5_000  # characters of a line, at most
LONGEST = 1_000_000  # bytes of a list, at most; a list of all published boundaries has a few thousand


@dataclass(frozen=True)
class Entry:
    """Represent one line of a list; `space` is ganstrata's name of the latent space."""

    name: str
    space: str
    path: str
    line: int


@dataclass(frozen=True)
class BoundaryList:
    """Hold the content of a list.

    Attributes:
        entries: entries in order; if a (name, space) occurs twice, the last counts, as in HiGAN.
        disabled: numbers of the lines that are switched off.
        remarks: remarks for the user.
    """

    entries: tuple[Entry, ...]
    disabled: tuple[int, ...]
    remarks: tuple[str, ...]


def space_of(text: str) -> str | None:
    """Return ganstrata's name of a latent space, given HiGAN's or ganstrata's in any case; None if unknown.

    >>> space_of("WP"), space_of("w+"), space_of("q")
    ('w+', 'w+', None)
    """
    word = text.strip().lower()
    return SPACES.get(word, word if word in SPACES.values() else None)


def parse_list(text: str, source: str) -> BoundaryList:
    """Parse a list. Blank lines and lines that begin with `#` or `DISABLE` are skipped.

    Args:
        text: content of the list.
        source: name of the list, for messages.

    Raises:
        ConfigError: some lines cannot be read; the error lists all of them with their numbers.
        UserError: the list has no entry.

    Example:
        >>> parse_list("(wood, W): wood_boundary.npy\\nDISABLE(dirt, w): dirt.npy", "a.txt").entries
        (Entry(name='wood', space='w', path='wood_boundary.npy', line=1),)
    """
    entries: dict[tuple[str, str], Entry] = {}
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
                    f"'{visible(match['space'].strip())}' is not a latent space; "
                    f"{', '.join(SPACES)} are known",
                )
            )
            continue
        entry = Entry(match["name"].strip(), space, match["path"].strip(), number)
        earlier = entries.pop((entry.name, space), None)
        if earlier is not None:
            remarks.append(
                f"{source}: '{visible(entry.name)}' in {space} comes in line {earlier.line} "
                f"and in line {number}; the last counts"
            )
        entries[entry.name, space] = entry
    if faults and not entries:
        _refuse_other_text(text, source)
    if faults:
        raise ConfigError(source, faults)
    if not entries:
        verb = "is" if len(disabled) == 1 else "are"
        switched = f"; {quantity(len(disabled), 'line')} {verb} switched off" if disabled else ""
        raise UserError(
            f"{source}: the list names no boundary{switched}. Its lines have the form `(name, space): path`"
        )
    return BoundaryList(tuple(entries.values()), tuple(disabled), tuple(remarks))


def _refuse_other_text(text: str, source: str) -> None:
    """Refuse a text without any entry that is known to be something else: a web page, numbers.

    Raises:
        UserError: it is; the message says what to do.
    """
    if text.lstrip("\ufeff \t\r\n").startswith("<"):
        raise UserError(f"{source} seems to be a web page: the download has failed. Download it again")
    words = re.split(r"[\s,;]+", text[:NUMBERS].strip())
    if all(NUMBER.fullmatch(word) for word in words[:-1] or words):
        raise UserError(
            f"{source} holds numbers as text; in Python, numpy.save('direction.npy', numpy.loadtxt(FILE)) "
            "makes a file of them that is read (with delimiter=',' if there are commas)"
        )


def read_list(path: Path) -> BoundaryList:
    """Read a list from a file.

    Raises:
        UserError: the file is missing, too long, not text, or not a list.
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
    """Return a list as text, given tuples (name, ganstrata's space, path).

    The text has no comments and no blank lines, because HiGAN's reader fails on them.

    >>> list_text([("wood", "w+", "wood_boundary.npy")])
    '(wood, wp): wood_boundary.npy\\n'
    """
    higan_names = {ours: name for name, ours in SPACES.items()}
    return "".join(f"({name}, {higan_names[space]}): {path}\n" for name, space, path in entries)
