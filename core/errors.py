"""Define the exceptions. A message says what was given, where, what is allowed and how to correct it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import islice

from .messages import MESSAGE, listed, message, shown, visible

KNOWN = 1_000  # maximum number of names with which a misspelt one is compared
LONGEST = 100  # maximum length of these names
FAULT = 600  # maximum length of the text of a fault
ALIKE = 3  # so many faults of the same message are shown in one line
SOURCE = 300  # maximum length of the text that names the source of faults


class GanstrataError(Exception):
    """Base of all errors that are reported without a traceback. Exit code 1: the command failed.

    The text is shortened if it is too long, and characters that cannot be printed are escaped.
    """

    exit_code = 1

    def __init__(self, *args: object) -> None:
        super().__init__(*(message(part) if isinstance(part, str) else part for part in args))


class UserError(GanstrataError):
    """An error that the user can correct. Exit code 2."""

    exit_code = 2


@dataclass(frozen=True)
class Fault:
    """A fault in a config.

    Attributes:
        path: keys and indices that lead to its place in the file.
        message: what is wrong.
    """

    path: tuple[str | int, ...]
    message: str

    @property
    def place(self) -> str:
        """The path as text."""
        return (
            " -> ".join(visible(part) if isinstance(part, str) else shown(part) for part in self.path)
            or "the file as a whole"
        )

    def __str__(self) -> str:
        return message(f"{self.place}: {self.message}", FAULT)


class ConfigError(UserError):
    """A config with faults.

    Attributes:
        source: the file or other source of the config.
        faults: all faults.
    """

    def __init__(self, source: str, faults: Sequence[Fault]) -> None:
        self.source, self.faults = source, tuple(faults)
        count = "one fault" if len(faults) == 1 else f"{len(faults)} faults"
        lines = [f"{message(source, SOURCE)}: {count}, nothing was written."]
        room = MESSAGE - len(lines[0]) - LONGEST
        unlisted = len(faults)
        for line, number in _grouped(faults):
            room -= len(line) + 3
            if room < 0:
                lines.append(f"  and {unlisted} more")
                break
            lines.append(f"  {line}")
            unlisted -= number
        super().__init__("\n".join(lines))


def _grouped(faults: Sequence[Fault]) -> Iterator[tuple[str, int]]:
    """Yield a line for each fault, or one for all faults of the same message, and how many it is about."""
    places: dict[str, list[str]] = {}
    for fault in faults:
        places.setdefault(fault.message, []).append(fault.place)
    grouped = set()
    for fault in faults:
        alike = places[fault.message]
        if len(alike) < ALIKE:
            yield str(fault), 1
        elif fault.message not in grouped:
            grouped.add(fault.message)
            yield message(f"{listed(alike, ALIKE)}: {fault.message}", FAULT), len(alike)


class PluginNotFound(UserError):
    """There is no plugin of this kind and name."""


class PluginBroken(GanstrataError):
    """A plugin does not load, breaks its contract, or fails."""


class MemoryExhausted(GanstrataError):
    """Memory ran out in a plugin, on any device."""


class PictureError(GanstrataError):
    """A generator made a picture that contains NaN or infinity, or that hangs on how numbers are rounded."""


class PluginConflict(GanstrataError):
    """Two distributions register the same name."""


class CheckpointError(UserError):
    """A checkpoint is missing, damaged, unsafe, or of another kind."""


class MismatchError(UserError):
    """Two inputs do not belong together: a boundary and a generator, or a run and a config."""


class RunError(UserError):
    """A run directory cannot be used for the command."""


class LayerError(UserError):
    """A description of layers does not match the generator."""


class DataError(UserError):
    """Scores or samples cannot be used for the computation."""


class ScoreError(GanstrataError):
    """A scorer returned scores that its concepts do not allow."""


class ShapeError(GanstrataError):
    """A tensor has another shape than the contract demands."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a hint with the known name that is most similar to a misspelt one, or an empty string.

    >>> nearest("stylgan2", ["pggan", "stylegan2"])
    " Did you mean 'stylegan2'?"
    >>> nearest("qqq", ["pggan"])
    ''
    """
    if len(name) > LONGEST:
        return ""
    matches = get_close_matches(
        name, [one for one in islice(known, KNOWN) if len(one) <= LONGEST], n=1, cutoff=0.6
    )
    return f" Did you mean '{visible(matches[0])}'?" if matches else ""
