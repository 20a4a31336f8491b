"""What can go wrong, in words: each message says what was given, where, what is allowed and the cure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import islice

from .text import MESSAGE, message, shown, visible

KNOWN = 1_000  # names that a misspelt one is compared with
LONGEST = 100  # characters of such names
FAULT = 600  # characters of one fault of several
SOURCE = 300  # characters of where they were found


class GanstrataError(Exception):
    """Anything ganstrata reports without a traceback. Exit code 1: the work failed.

    Its text is cut to a bearable length, and signs that cannot be printed are escaped, whatever was put into it.
    """

    exit_code = 1

    def __init__(self, *args: object) -> None:
        super().__init__(*(message(part) if isinstance(part, str) else part for part in args))


class UserError(GanstrataError):
    """The user's mistake, which the user can mend. Exit code 2."""

    exit_code = 2


@dataclass(frozen=True)
class Fault:
    """One thing wrong with a config: where in the file, and what."""

    path: tuple[str | int, ...]
    message: str

    def __str__(self) -> str:
        where = (
            " -> ".join(visible(part) if isinstance(part, str) else shown(part) for part in self.path)
            or "the file as a whole"
        )
        return message(f"{where}: {self.message}", FAULT)


class ConfigError(UserError):
    """A config with faults, all of them at once."""

    def __init__(self, source: str, faults: Sequence[Fault]) -> None:
        self.source, self.faults = source, tuple(faults)
        count = "one fault" if len(faults) == 1 else f"{len(faults)} faults"
        lines = [f"{message(source, SOURCE)}: {count}, nothing was written."]
        room = MESSAGE - len(lines[0]) - LONGEST
        for told, fault in enumerate(faults):
            line = f"  {fault}"
            room -= len(line) + 1
            if room < 0:
                lines.append(f"  and {len(faults) - told} more")
                break
            lines.append(line)
        super().__init__("\n".join(lines))


class PluginNotFound(UserError):
    """No plugin of this kind has this name."""


class PluginBroken(GanstrataError):
    """A plugin is installed but does not load, breaks its contract, or fails."""


class MemoryExhausted(GanstrataError):
    """Memory ran out inside a plugin, on whatever device."""


class PictureError(GanstrataError):
    """A generator made a picture that holds NaN or infinity."""


class PluginConflict(GanstrataError):
    """Two distributions register the same name."""


class CheckpointError(UserError):
    """A checkpoint that is missing, damaged, unsafe, or of another kind."""


class MismatchError(UserError):
    """Two things that do not belong together: a boundary and a generator, a run and a config."""


class RunError(UserError):
    """A run directory that cannot be used as asked."""


class LayerError(UserError):
    """A description of layers that does not name layers of this generator."""


class DataError(UserError):
    """Scores or samples that do not allow what was asked."""


class ScoreError(GanstrataError):
    """A scorer returned what its concepts do not allow."""


class ShapeError(GanstrataError):
    """A tensor of another shape than the contract says."""


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint for a misspelt name, or nothing.

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
