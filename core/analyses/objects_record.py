"""Hold the transitions of objects as a record, and read it from the files of a run."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..boundaries.files import FILES
from ..figures.pages import png_uri
from ..rescoring.transitions import Transition
from ..runs.run import Run
from ..storage.csv_tables import csv_text, name_in
from ..storage.disk import file_hash, read_bytes
from ..storage.json_values import JsonObject
from ..storage.result_folder import read_index

FOLDER = "analysis/objects"
INDEX, TABLE = "objects.json", "transitions.csv"
COLUMNS = ("hop", "from", "to", "pixels", "share_of_picture", "share_of_from", "low", "high", "samples")
ROWS = 12  # flows per hop in the table of the report


@dataclass(frozen=True)
class Settings:
    """Hold how samples were moved and labelled.

    Attributes:
        segmenter: alias of the scorer that labels pixels.
        set_name, layers: layers at which samples were moved.
        are_layers_default: whether they were chosen by the effects of re-scoring, not requested.
        samples: number of samples.
        step, step_in_w: length of each move, in `unit` and in w, or in s with `styles`.
        unit: `sd` or `raw`.
        start: concept that all samples have; None for any samples.
        styles: whether style channels were moved, and not codes.
    """

    segmenter: str
    set_name: str
    layers: tuple[int, ...]
    are_layers_default: bool
    samples: int
    step: float
    step_in_w: float
    unit: str
    start: str | None
    styles: bool = False

    def as_data(self) -> JsonObject:
        """Return the entry of objects.json."""
        return {
            "segmenter": self.segmenter,
            "set": self.set_name,
            "layers": list(self.layers),
            "layers_by_effect": self.are_layers_default,
            "samples": self.samples,
            "step": self.step,
            "step_in_w": self.step_in_w,
            "unit": self.unit,
            "start": self.start,
            "styles": self.styles,
        }

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Settings:
        """Read the entry of objects.json."""
        return cls(
            segmenter=data["segmenter"],
            set_name=data["set"],
            layers=tuple(data["layers"]),
            are_layers_default=data.get("layers_by_effect", False),  # early versions had another default
            samples=data["samples"],
            step=data["step"],
            step_in_w=data["step_in_w"],
            unit=data["unit"],
            start=data["start"],
            styles=data.get("styles", False),
        )


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
        settings: how samples were moved; None if the file that says so is damaged.
        classes: classes of the segmenter, in its order.
        stuff: the classes that are stuff, such as walls, not objects.
        hops: effects on the concepts, in turn.
        rows: all transitions by hop, the largest first.
        masks: masks.png as a data URI.
        faults: why the numbers cannot be shown; everything else may then be missing.
        differences: sentences on what the analysis was computed with that the run was not.
    """

    settings: Settings | None
    classes: tuple[str, ...]
    stuff: tuple[str, ...]
    hops: list[Hop]
    rows: list[Transition]
    masks: str = ""
    faults: list[str] = field(default_factory=list)
    differences: Sequence[str] = ()

    @property
    def along(self) -> list[str]:
        """Names of the boundaries, in turn."""
        return [hop.along for hop in self.hops]

    @property
    def kinds(self) -> list[str]:
        """Classes that are objects, not stuff."""
        return [name for name in self.classes if name not in self.stuff]

    def largest(self, hop: int) -> list[Transition]:
        """Return the largest flows of a hop from one class to another, for the report."""
        return [row for row in self.rows if row.hop == hop and row.source != row.target][:ROWS]


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


@dataclass(frozen=True)
class Sources:
    """Hold what an analysis of objects was computed from.

    Attributes:
        files: file of the boundaries -> its digest.
        scores: alias of a scorer -> key of its scores.
        scale: editing.scale of the run.
    """

    files: Mapping[str, str | None]
    scores: Mapping[str, str | None]
    scale: bool

    @classmethod
    def of_run(cls, run: Run, aliases: Iterable[str]) -> Sources:
        """Return what the analysis would be computed from now."""
        return cls(
            files={name: file_hash(run.path / name) for name in FILES},
            scores={alias: run.keys.scores.get(alias) for alias in sorted(set(aliases))},
            scale=run.config.editing.scale,
        )

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Sources:
        """Read the entry of objects.json."""
        return cls({name: data[name] for name in FILES}, dict(data["scores"]), data["scale"])

    def as_data(self) -> JsonObject:
        """Return the entry of objects.json."""
        return {**self.files, "scores": self.scores, "scale": self.scale}


def scorers_of(settings: Settings, hops: Iterable[Hop]) -> list[str]:
    """Return the aliases of the segmenter and of the scorers of the concepts."""
    concepts = [*(hop.concept for hop in hops), *([] if settings.start is None else [settings.start])]
    return [settings.segmenter, *(concept.split("/", 1)[0] for concept in concepts)]


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
        settings = Settings.of(index["asked"])
        used = scorers_of(settings, hops)
        now, then = Sources.of_run(run, used), Sources.of(index["stamp"])
        if now != then:
            return _faulty(_outdated(now, then, used[0]), hops)
        return Objects(
            settings=settings,
            classes=tuple(index["classes"]),
            stuff=tuple(index["stuff"]),
            hops=hops,
            rows=_read_table(content[TABLE].decode("utf-8")),
            masks=png_uri(content["masks.png"]),
            differences=[str(sentence) for sentence in index.get("differs_from_run", ())],
        )
    except (OSError, ValueError, LookupError, TypeError) as error:
        return _faulty(f"{Path(FOLDER) / INDEX} is damaged or incomplete ({type(error).__name__}).")


def _outdated(now: Sources, then: Sources, segmenter: str) -> str:
    """Say why the analysis no longer belongs to its run."""
    if now.files != then.files or now.scores[segmenter] != then.scores[segmenter]:
        return "The boundaries of this run were learnt again since, or its segmenter has changed."
    return "A scorer of the analysis, or editing.scale, has changed since."


def _faulty(fault: str, hops: Sequence[Hop] = ()) -> Objects:
    return Objects(settings=None, classes=(), stuff=(), hops=list(hops), rows=[], faults=[fault])
