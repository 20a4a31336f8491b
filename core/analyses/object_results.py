"""The chapter "Objects": the files of `ganstrata analysis objects`, read back, and what they say by rule."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..boundaries.files import FILES
from ..figures.figure import Figure
from ..figures.flow import flow
from ..rescoring.transitions import Transition, mapped, staying
from ..runs.run import Run
from ..storage.csv_tables import csv_text, name_in
from ..storage.disk import file_hash, read_bytes
from ..storage.result_folder import read_index
from ..strata.layers import show_layers

FOLDER = "analysis/objects"
INDEX, TABLE = "objects.json", "transitions.csv"
COLUMNS = ("hop", "from", "to", "pixels", "share_of_picture", "share_of_from", "low", "high", "samples")
HALF = 0.5  # a class stays where the interval of its share lies above this
LISTED = 5  # flows that a sentence names
ROWS = 12  # flows that the page's table shows, per hop


@dataclass(frozen=True)
class Hop:
    """What a hop did to the concept that it was to raise: means over samples, the interval of the change, shares above the threshold."""

    along: str
    concept: str
    samples: int
    before: float | None
    after: float | None
    low: float | None
    high: float | None
    above_before: float | None
    above_after: float | None
    cosine: float | None = None  # with the direction of the hop before
    returned: tuple[float, float, float] | None = (
        None  # of the pixels that hop changed: the share with their earlier label again, and its interval
    )


@dataclass(frozen=True)
class Objects:
    """What was asked, and what was found.

    Attributes:
        asked: segmenter, layer set and layers, samples, step and its unit, start.
        classes: of the segmenter, in its order.
        stuff: which of them are stuff.
        hops: in turn.
        rows: all transitions, by hop, the largest first.
        masks: masks.png as it stands in a page.
        faults: why the numbers are not to be shown; then all else may be missing.
    """

    asked: dict[str, Any]
    classes: tuple[str, ...]
    stuff: tuple[str, ...]
    hops: list[Hop]
    rows: list[Transition]
    masks: str = ""
    faults: list[str] = field(default_factory=list)

    @property
    def along(self) -> list[str]:
        """Names of the boundaries, in turn."""
        return [hop.along for hop in self.hops]

    @property
    def figure(self) -> Figure:
        """The flow picture."""
        return flow(self.rows, self.classes, self.stuff, self.along)

    @property
    def kinds(self) -> list[str]:
        """Classes that are objects."""
        return [name for name in self.classes if name not in self.stuff]

    @property
    def setting(self) -> str:
        """What was done, in a sentence."""
        asked = self.asked
        unit = "standard deviations of w" if asked["unit"] == "sd" else "units of w"
        which = f" that have {asked['start']}" if asked["start"] else ""
        many = "sample" if asked["samples"] == 1 else "samples"
        layers = show_layers(asked["layers"])
        place = (
            f"layers {layers}"
            if asked["set"] == layers
            else f"the {asked['set']} layers ({layers})"
            if asked["set"] != "all"
            else "all layers"
        )
        return (
            f"{asked['samples']} fresh {many}{which} moved along {', then from there along '.join(self.along)}, "
            f"{asked['step']:g} {unit} each, at {place}; labelled by the segmenter '{asked['segmenter']}'."
        )

    def sentences(self, hop: int) -> list[str]:
        """What a hop did, by rule, from 1."""
        rows = [row for row in self.rows if row.hop == hop]
        return [
            *_raised(self.hops[hop - 1], self.asked["step"]),
            *_back(self.hops[hop - 1], hop),
            *_stays(rows, self.stuff),
            *_flows(rows, self.kinds),
        ]

    def largest(self, hop: int) -> list[Transition]:
        """What a page lists of a hop: the largest flows from one class to another."""
        return [row for row in self.rows if row.hop == hop and row.source != row.target][:ROWS]


def _raised(hop: Hop, step: float) -> list[str]:
    if hop.before is None or hop.after is None:
        return [f"{hop.concept}: no sample has a score before and after."]
    if hop.low is None or hop.high is None:
        return [f"{hop.concept}: only one sample has a score before and after, which says nothing of others."]
    verdict = "rises" if hop.low > 0.0 else "falls" if hop.high < 0.0 else "does not move for sure"
    change = f"{_signed(hop.after - hop.before)} [{_signed(hop.low)}, {_signed(hop.high)}]"
    words = f"{hop.concept} {verdict}: {change}, from {_plain(hop.before)} to {_plain(hop.after)}"
    if hop.above_before is not None and hop.above_after is not None:
        words += f"; {hop.above_before:.0%} of the samples have it before, {hop.above_after:.0%} after"
    found = [words.replace("%", " %") + "."]
    if step > 0.0 and hop.above_after is not None and hop.above_after < HALF:
        found.append(
            "So most samples have not become what this hop was for; a longer --step or other --layers may do it."
        )
    return found


def _back(hop: Hop, number: int) -> list[str]:
    """Whether a hop undoes the one before it."""
    if hop.returned is None or hop.cosine is None:
        return []
    value, low, high = hop.returned
    words = f"{value:.2f} [{low:.2f}, {high:.2f}] of the pixels that hop {number - 1} changed have their earlier label again"
    told = ", so this hop mostly goes back" if low > HALF else ""
    return [f"{words}{told}; the cosine of the two directions is {_plain(hop.cosine)}."]


def _stays(rows: Sequence[Transition], stuff: Sequence[str]) -> list[str]:
    found = staying(rows, stuff)
    if not found:
        return ["No stuff class is large enough to tell whether it stays."]
    sentences = []
    for title, part in (
        (
            "Stuff that stays, by the share of its pixels that keep their label",
            [row for row in found if row.low > HALF],
        ),
        ("Stuff that does not", [row for row in found if row.high < HALF]),
        ("Not settled", [row for row in found if row.low <= HALF <= row.high]),
    ):
        if part:
            sentences.append(f"{title}: {', '.join(f'{row.source} {_share(row)}' for row in part)}.")
    return sentences


def _flows(rows: Sequence[Transition], kinds: Sequence[str]) -> list[str]:
    found = mapped(rows, kinds)[:LISTED]
    if not found:
        return ["No object is mapped to another on as much as 0.2 % of the picture."]
    listed = ", ".join(f"{row.source} to {row.target} {_share(row)}" for row in found)
    return [f"Largest flows between objects, by the share of what was there: {listed}."]


def _share(row: Transition) -> str:
    return f"{row.of_source:.2f} [{row.low:.2f}, {row.high:.2f}]"


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")


def _plain(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")


def table_text(rows: Sequence[Transition]) -> str:
    """transitions.csv."""
    cells = [
        (r.hop, r.source, r.target, r.pixels, r.of_picture, r.of_source, r.low, r.high, r.samples)
        for r in rows
    ]
    return csv_text([COLUMNS, *cells])


def _read_table(text: str) -> list[Transition]:
    rows = list(csv.reader(io.StringIO(text)))
    if tuple(rows[0]) != COLUMNS:
        raise ValueError(f"{TABLE} has other columns")
    return [
        Transition(
            int(h),
            name_in(a),
            name_in(b),
            int(n),
            float(picture),
            float(source),
            float(low or "nan"),
            float(high or "nan"),
            int(k),
        )
        for h, a, b, n, picture, source, low, high, k in rows[1:]
    ]


def stamp(run: Run, aliases: Iterable[str]) -> dict[str, Any]:
    """What the analysis is computed from: the boundaries' files, and the keys of the scores of all scorers that it uses."""
    found: dict[str, Any] = {name: file_hash(run.path / name) for name in FILES}
    return found | {
        "scores": {alias: run.keys.scores.get(alias) for alias in sorted(set(aliases))},
        "scale": run.config.editing.scale,
    }


def scorers_of(segmenter: str, concepts: Iterable[str | None]) -> list[str]:
    """Aliases of the segmenter and of the scorers of concepts."""
    return [segmenter, *(concept.split("/", 1)[0] for concept in concepts if concept is not None)]


def read_objects(run: Run) -> Objects | None:
    """The chapter of a run; None where the analysis was never made.

    Files that are damaged, or that were made with boundaries that have been learnt again since, are
    told in `faults` and not shown.
    """
    folder = run.path / FOLDER
    if not (folder / INDEX).is_file():
        return None
    try:
        index = read_index(folder / INDEX)
        content = {name: read_bytes(folder / name) for name in index["files"]}
        changed = [
            name
            for name, digest in index["files"].items()
            if hashlib.sha256(content[name]).hexdigest() != digest
        ]
        if changed:
            return _faulty(
                f"{', '.join(changed)} in {FOLDER} {'is' if len(changed) == 1 else 'are'} not what the analysis wrote."
            )
        hops = [
            Hop(**hop | {"returned": None if hop["returned"] is None else tuple(hop["returned"])})
            for hop in index["hops"]
        ]
        used = scorers_of(
            index["asked"]["segmenter"], [*(hop.concept for hop in hops), index["asked"]["start"]]
        )
        now, then = stamp(run, used), index["stamp"]
        if now != then:
            return _faulty(_outdated(now, then, used[0]), hops)
        return Objects(
            asked=index["asked"],
            classes=tuple(index["classes"]),
            stuff=tuple(index["stuff"]),
            hops=hops,
            rows=_read_table(content[TABLE].decode("utf-8")),
            masks="data:image/png;base64," + base64.b64encode(content["masks.png"]).decode("ascii"),
        )
    except (OSError, ValueError, LookupError, TypeError) as error:
        return _faulty(f"{Path(FOLDER) / INDEX} is damaged or incomplete ({type(error).__name__}).")


def _outdated(now: Mapping[str, Any], then: Mapping[str, Any], segmenter: str) -> str:
    """Why a chapter is no longer that of its run."""
    if (
        any(now[name] != then[name] for name in FILES)
        or now["scores"][segmenter] != then["scores"][segmenter]
    ):
        return "The boundaries of this run have been learnt again since, or its segmenter is another."
    return "A scorer that was used, or editing.scale, has changed since."


def _faulty(fault: str, hops: Sequence[Hop] = ()) -> Objects:
    return Objects(asked={}, classes=(), stuff=(), hops=list(hops), rows=[], faults=[fault])
