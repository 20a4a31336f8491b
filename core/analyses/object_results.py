"""Read the files of `ganstrata analysis objects`, and write the sentences of its chapter in the report."""

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
HALF = 0.5  # a class stays if the interval of its share lies above this
LISTED = 5  # flows that a sentence names
ROWS = 12  # flows per hop in the table of the report


@dataclass(frozen=True)
class Hop:
    """Hold what a hop did to its own concept.

    Attributes:
        along: name of the boundary.
        concept: its concept.
        samples: number of samples with a score before and after the hop.
        before, after: mean scores; None without samples.
        low, high: 95 % interval of the mean change; None with fewer than two samples.
        above_before, above_after: shares of samples above the threshold; None without a threshold.
        cosine: cosine with the direction of the previous hop; None for the first.
        returned: share, with its 95 % interval, of the pixels changed by the previous hop that regain their
            earlier label; None for the first hop or if unknown.
    """

    along: str
    concept: str
    samples: int
    before: float | None
    after: float | None
    low: float | None
    high: float | None
    above_before: float | None
    above_after: float | None
    cosine: float | None = None
    returned: tuple[float, float, float] | None = None


@dataclass(frozen=True)
class Objects:
    """Hold the analysis of objects of a run.

    Attributes:
        settings: segmenter, layer set and layers, samples, step and its unit, start.
        classes: classes of the segmenter, in its order.
        stuff: the classes that are stuff, such as walls, not objects.
        hops: effects on the concepts, in turn.
        rows: all transitions by hop, the largest first.
        masks: masks.png as a data URI.
        faults: why the numbers cannot be shown; everything else may then be missing.
    """

    settings: dict[str, Any]
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
        """Flow chart of the transitions."""
        return flow(self.rows, self.classes, self.stuff, self.along)

    @property
    def kinds(self) -> list[str]:
        """Classes that are objects, not stuff."""
        return [name for name in self.classes if name not in self.stuff]

    @property
    def description(self) -> str:
        """Sentence that says which samples were moved, how far and at which layers."""
        settings = self.settings
        unit = "standard deviations of w" if settings["unit"] == "sd" else "units of w"
        which = f" that have {settings['start']}" if settings["start"] else ""
        many = "sample" if settings["samples"] == 1 else "samples"
        layers = show_layers(settings["layers"])
        place = (
            f"layers {layers}"
            if settings["set"] == layers
            else f"the {settings['set']} layers ({layers})"
            if settings["set"] != "all"
            else "all layers"
        )
        return (
            f"{settings['samples']} fresh {many}{which} moved along "
            f"{', then from there along '.join(self.along)}, "
            f"{settings['step']:g} {unit} each, at {place}; "
            f"labelled by the segmenter '{settings['segmenter']}'."
        )

    def sentences(self, hop: int) -> list[str]:
        """Write the conclusions about a hop, counted from 1."""
        rows = [row for row in self.rows if row.hop == hop]
        return [
            *_raised(self.hops[hop - 1], self.settings["step"]),
            *_back(self.hops[hop - 1], hop),
            *_stays(rows, self.stuff),
            *_flows(rows, self.kinds),
        ]

    def largest(self, hop: int) -> list[Transition]:
        """Return the largest flows of a hop from one class to another, for the report."""
        return [row for row in self.rows if row.hop == hop and row.source != row.target][:ROWS]


def _raised(hop: Hop, step: float) -> list[str]:
    """Say whether the concept of a hop rises, and whether most samples have it afterwards."""
    if hop.before is None or hop.after is None:
        return [f"{hop.concept}: no sample has a score before and after."]
    if hop.low is None or hop.high is None:
        return [f"{hop.concept}: only one sample has a score before and after, too few for an interval."]
    verdict = "rises" if hop.low > 0.0 else "falls" if hop.high < 0.0 else "does not change significantly"
    change = f"{_signed(hop.after - hop.before)} [{_signed(hop.low)}, {_signed(hop.high)}]"
    words = f"{hop.concept} {verdict}: {change}, from {_plain(hop.before)} to {_plain(hop.after)}"
    if hop.above_before is not None and hop.above_after is not None:
        words += f"; {hop.above_before:.0%} of the samples have it before, {hop.above_after:.0%} after"
    sentences = [words.replace("%", " %") + "."]
    if step > 0.0 and hop.above_after is not None and hop.above_after < HALF:
        sentences.append(
            "So most samples do not have the concept afterwards; a longer --step or other --layers may help."
        )
    return sentences


def _back(hop: Hop, number: int) -> list[str]:
    """Say how much of the previous hop a hop undoes."""
    if hop.returned is None or hop.cosine is None:
        return []
    value, low, high = hop.returned
    verdict = ", so this hop mostly goes back" if low > HALF else ""
    return [
        f"{value:.2f} [{low:.2f}, {high:.2f}] of the pixels that hop {number - 1} changed have their earlier "
        f"label again{verdict}; the cosine of the two directions is {_plain(hop.cosine)}."
    ]


def _stays(rows: Sequence[Transition], stuff: Sequence[str]) -> list[str]:
    """Say which stuff classes keep most of their pixels, by the interval of the share that they keep."""
    shares = staying(rows, stuff)
    if not shares:
        return ["No stuff class is large enough to say whether it stays."]
    sentences = []
    for title, part in (
        (
            "Stuff that stays, by the share of its pixels that keep their label",
            [row for row in shares if row.low > HALF],
        ),
        ("Stuff that does not stay", [row for row in shares if row.high < HALF]),
        ("Undecided", [row for row in shares if row.low <= HALF <= row.high]),
    ):
        if part:
            sentences.append(f"{title}: {', '.join(f'{row.source} {_share(row)}' for row in part)}.")
    return sentences


def _flows(rows: Sequence[Transition], kinds: Sequence[str]) -> list[str]:
    """Name the largest flows from one object class to another."""
    flows = mapped(rows, kinds)[:LISTED]
    if not flows:
        return ["No object class turns into another on as much as 0.2 % of the picture."]
    listed = ", ".join(f"{row.source} to {row.target} {_share(row)}" for row in flows)
    return [f"Largest flows between object classes, by the share of the first class: {listed}."]


def _share(row: Transition) -> str:
    return f"{row.of_source:.2f} [{row.low:.2f}, {row.high:.2f}]"


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")


def _plain(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")


def table_text(rows: Sequence[Transition]) -> str:
    """Return the content of transitions.csv."""
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


def source_digests(run: Run, aliases: Iterable[str]) -> dict[str, Any]:
    """Return what the analysis depends on: digests of the boundaries' files, and keys of the scores."""
    digests: dict[str, Any] = {name: file_hash(run.path / name) for name in FILES}
    return digests | {
        "scores": {alias: run.keys.scores.get(alias) for alias in sorted(set(aliases))},
        "scale": run.config.editing.scale,
    }


def scorers_of(segmenter: str, concepts: Iterable[str | None]) -> list[str]:
    """Return the aliases of the segmenter and of the scorers of concepts."""
    return [segmenter, *(concept.split("/", 1)[0] for concept in concepts if concept is not None)]


def read_objects(run: Run) -> Objects | None:
    """Read the analysis of objects of a run.

    Returns:
        None if the analysis was never run; an object with `faults` if its files are damaged, or if boundaries
        or scores of the run have changed since.
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
                f"{', '.join(changed)} in {FOLDER} {'was' if len(changed) == 1 else 'were'} changed "
                "after the analysis."
            )
        hops = [
            Hop(**hop | {"returned": None if hop["returned"] is None else tuple(hop["returned"])})
            for hop in index["hops"]
        ]
        used = scorers_of(
            index["asked"]["segmenter"], [*(hop.concept for hop in hops), index["asked"]["start"]]
        )
        now, then = source_digests(run, used), index["stamp"]
        if now != then:
            return _faulty(_outdated(now, then, used[0]), hops)
        return Objects(
            settings=index["asked"],
            classes=tuple(index["classes"]),
            stuff=tuple(index["stuff"]),
            hops=hops,
            rows=_read_table(content[TABLE].decode("utf-8")),
            masks="data:image/png;base64," + base64.b64encode(content["masks.png"]).decode("ascii"),
        )
    except (OSError, ValueError, LookupError, TypeError) as error:
        return _faulty(f"{Path(FOLDER) / INDEX} is damaged or incomplete ({type(error).__name__}).")


def _outdated(now: Mapping[str, Any], then: Mapping[str, Any], segmenter: str) -> str:
    """Say why the analysis no longer belongs to its run."""
    if (
        any(now[name] != then[name] for name in FILES)
        or now["scores"][segmenter] != then["scores"][segmenter]
    ):
        return "The boundaries of this run were learnt again since, or its segmenter has changed."
    return "A scorer of the analysis, or editing.scale, has changed since."


def _faulty(fault: str, hops: Sequence[Hop] = ()) -> Objects:
    return Objects(settings={}, classes=(), stuff=(), hops=list(hops), rows=[], faults=[fault])
