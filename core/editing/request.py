"""Define the request for an edit: its options, and which of them exclude each other."""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from ..errors import UserError, nearest

MODES = ("independent", "joint", "absolute", "jitter")
KINDS = ("strip", "grid", "gif", "mp4", "html")
JITTER = 0.5  # default sd of jitter, in the unit of steps
SEARCHED = 12.0  # default distance of a search in both directions
MOST = 10_000  # most pictures that one request may edit


@dataclass(frozen=True)
class Move:
    """Represent one boundary to move along: name, distance at the last step, layers as they were written."""

    name: str
    amount: float | None = None
    layers: str | None = None


@dataclass(frozen=True)
class EditRequest:
    """Hold everything that decides an edit. Lengths are in the unit of rescoring.distance_unit.

    Attributes:
        along: NAME[:AMOUNT][@LAYERS], see `parse_move`.
        keep: names of boundaries whose concepts must not change.
        mode: one of MODES.
        seeds, samples, codes: which pictures: new samples, the run's own, or those in a file; one of these.
        codes_as, space: what the codes in a file are, where neither file nor shape tells.
        start, end, steps: first and last distance, and how many; None for those of the run's config.
        search: whether to find the range in which each score still moves, and step evenly in score.
        noise_sd: sd of jitter; None for JITTER.
        boundaries: their folder or file, if not the run's.
        scores: whether to score the pictures.
        kinds: files to write, of KINDS.
        fps: steps per second in films.
        out: the folder; None for one in the run.
        device: None for that of the run's config.
    """

    along: tuple[str, ...]
    keep: tuple[str, ...] = ()
    mode: str = "independent"
    seeds: str | None = None
    samples: str | None = None
    codes: Path | None = None
    codes_as: str | None = None
    space: str | None = None
    start: float | None = None
    end: float | None = None
    steps: int | None = None
    search: bool = False
    noise_sd: float | None = None
    boundaries: Path | None = None
    scores: bool = True
    kinds: tuple[str, ...] = ("strip", "html")
    fps: float = 8.0
    out: Path | None = None
    device: str | None = None

    def check(self) -> None:
        """Refuse options that exclude each other, before anything is loaded.

        Raises:
            UserError: names the option to leave out or to add.
        """
        if not self.along:
            raise UserError("name at least one boundary to move along")
        for what, value, known in (
            ("mode", self.mode, MODES),
            *(("output", kind, KINDS) for kind in self.kinds),
        ):
            if value not in known:
                raise UserError(
                    f"'{value}' is not a known {what}.{nearest(value, known)} There are {', '.join(known)}"
                )
        self._check_sources()
        if self.search and self.mode in ("absolute", "jitter"):
            raise UserError(
                f"--search finds how far to move from each picture; mode {self.mode} does not step that way, "
                "use independent or joint"
            )
        if self.search and not self.scores:
            raise UserError("--search looks at scores; leave out --no-scores")
        if self.noise_sd is not None and self.mode != "jitter":
            raise UserError("--noise-sd is the noise of --mode jitter")
        if "grid" in self.kinds and (self.mode != "joint" or len(self.along) != 2):
            raise UserError("a grid crosses two boundaries: give --along twice and --mode joint")
        for option, number in (
            ("--start", self.start),
            ("--end", self.end),
            ("--noise-sd", self.noise_sd),
            ("--fps", self.fps),
        ):
            if number is not None and not math.isfinite(number):
                raise UserError(f"{option} {number}: give a finite number")
        if self.noise_sd is not None and self.noise_sd <= 0.0:
            raise UserError(f"--noise-sd {self.noise_sd:g}: give a number above 0")
        if not 0.1 <= self.fps <= 100.0:
            raise UserError(f"--fps {self.fps:g}: give a number from 0.1 to 100")
        if self.steps is not None and self.steps < 1:
            raise UserError(f"--steps {self.steps}: give at least 1")

    def _check_sources(self) -> None:
        """Refuse more than one source of pictures, and options of one that is not given."""
        if sum(source is not None for source in (self.seeds, self.samples, self.codes)) > 1:
            raise UserError(
                "--seeds, --samples and --codes each say whose pictures to edit; give one of them"
            )
        for option, value in (("--codes-as", self.codes_as), ("--space", self.space)):
            if value is not None and self.codes is None:
                raise UserError(f"{option} {value} says what the codes of a file are; give one with --codes")


def parse_move(text: str, known: Collection[str]) -> Move:
    """Parse NAME[:AMOUNT][@LAYERS]. A name may contain : and @, so known names are matched first.

    Raises:
        UserError: there is no such boundary, or the amount is not a number.

    Example:
        >>> parse_move("colour/red:2.5@6-9", ["colour/red"])
        Move(name='colour/red', amount=2.5, layers='6-9')
        >>> parse_move("rde", ["red"])
        Traceback (most recent call last):
        ...
        ganstrata.core.errors.UserError: rde: no boundary has this name. Did you mean 'red'? There are red
    """
    fitting = [name for name in known if text == name or (text.startswith(name) and text[len(name)] in ":@")]
    if not fitting:
        name = re.split(r"[:@]", text)[0]
        raise UserError(
            f"{name or text}: no boundary has this name.{nearest(name, known)} "
            f"There are {', '.join(known) or 'none'}"
        )
    name = max(fitting, key=len)
    amount, at, layers = text[len(name) :].partition("@")
    if at and not layers.strip():
        raise UserError(f"{text}: no layers follow the @; write for example {name}@2-5")
    if not amount:
        return Move(name, None, layers.strip() or None)
    try:
        value = float(amount[1:])
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or value == 0.0:
        raise UserError(
            f"{text}: '{amount[1:]}' is not a distance to move; write for example {name}:2.5 or {name}:-1@2-5"
        )
    return Move(name, value, layers.strip() or None)


def parse_numbers(text: str, option: str) -> tuple[int, ...]:
    """Parse numbers of samples such as `0-9` or `3,17,40-44`; the order stays, and each appears once.

    Raises:
        UserError: the text does not have this form.

    Example:
        >>> parse_numbers("7, 0-2", "--seeds")
        (7, 0, 1, 2)
    """
    numbers: dict[int, None] = {}
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,15})\s*(?:-\s*(\d{1,15})\s*)?", part)
        if match is None or (match[2] is not None and int(match[2]) < int(match[1])):
            raise UserError(
                f"{option} {text}: '{part.strip()}' is neither a number nor a range; "
                "write for example 0-9 or 3,17,40-44"
            )
        first, last = int(match[1]), int(match[2] or match[1])
        if last - first + len(numbers) >= MOST:
            raise UserError(f"{option} {text}: that is more than {MOST} pictures; give fewer")
        numbers.update(dict.fromkeys(range(first, last + 1)))
    return tuple(numbers)
