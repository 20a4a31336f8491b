"""What the analyses of re-scoring share: which boundaries and layers are meant, several runs in one figure, and the files of an answer."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np

from ..boundaries.files import FILES
from ..config.schema import UseScorer
from ..errors import ConfigError, Fault, LayerError, UserError, nearest
from ..figures.figure import Figure
from ..plugins.records import LEVELS
from ..rescoring.results import Effects
from ..runs.provenance.changes import plugin_changes
from ..runs.run import Run
from ..storage.csv_tables import csv_text
from ..storage.disk import file_hash
from ..storage.result_folder import index_text
from ..strata.layers import layer_sets


@dataclass(frozen=True)
class AnalysisRequest:
    """What to look at.

    Attributes:
        concepts: patterns such as attribute/*; empty for all that have a boundary.
        levels: of the concepts; empty for all.
        top: how many, strongest first; None for the analysis' own number.
        layers: one layer set of the run; None for the analysis' own.
        out: the folder to write; None for analysis/NAME of the run.
        cluster: entanglement: put what moves together side by side.
    """

    concepts: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()
    top: int | None = None
    layers: str | None = None
    out: Path | None = None
    cluster: bool = False


@dataclass(frozen=True)
class LabelledRun:
    """A run that has been re-scored, with the name it has in figures."""

    label: str
    run: Run
    rescored: Effects


@dataclass(frozen=True)
class Answer:
    """What an analysis found.

    Attributes:
        name: of the analysis, and of its folder.
        table: what is printed; the first row names the columns.
        sentences: what the numbers say, by rule.
        figures: each an SVG and a CSV.
        tables: further CSV files by name, the first row naming the columns.
        asked: what was asked, as it was understood.
        pictures: further files.
    """

    name: str
    table: list[list[str]]
    sentences: list[str]
    figures: list[Figure]
    tables: dict[str, list[list[Any]]]
    asked: dict[str, Any]
    pictures: dict[str, bytes] = field(default_factory=dict)

    def files(self, sources: Sequence[LabelledRun]) -> dict[str, bytes]:
        """Everything that is written; NAME.json says what was asked of which runs."""
        found = {f"{figure.name}.svg": figure.file.encode() for figure in self.figures}
        found |= {f"{figure.name}.csv": figure.csv.encode() for figure in self.figures}
        found |= {
            f"{name}.csv": csv_text(rows).encode() for name, rows in self.tables.items()
        } | self.pictures
        index = {
            "analysis": self.name,
            "asked": self.asked,
            "runs": [
                {
                    "label": s.label,
                    "generator": s.run.record.generator.fingerprint,
                    **{f: file_hash(s.run.path / f) for f in FILES},
                }
                for s in sources
            ],
            "stands_on": {"rescore": sources[0].run.keys.stages["rescore"]},
            "sentences": self.sentences,
        }
        return found | {f"{self.name}.json": index_text(index, found)}


def asked_of(ask: AnalysisRequest, **understood: Any) -> dict[str, Any]:
    """The question as NAME.json keeps it; where the files go does not belong to it."""
    return {key: value for key, value in asdict(ask).items() if key not in ("out", "cluster")} | understood


def select_boundaries(
    rescored: Effects,
    ask: AnalysisRequest,
    order: Sequence[int] | None = None,
    *,
    runs: Sequence[LabelledRun] = (),
) -> list[int]:
    """Boundaries that fit the patterns and levels, strongest first.

    Args:
        rescored: of the run.
        ask: patterns and levels.
        order: boundaries to choose from, in their order; None for the ranking at all layers, without conditional directions.
        runs: the runs of one figure; a pattern need only fit a boundary of one of them.

    Raises:
        ConfigError: patterns that fit no boundary and unknown levels, all of them at once.
        UserError: nothing is left.
    """
    order = rescored.ranking() if order is None else order
    names = [rescored.boundaries[i].name for i in order]
    faults = [
        Fault((f"--concepts {pattern}",), f"no boundary of this run fits.{nearest(pattern, names)}")
        for pattern in ask.concepts
        if not any(
            fnmatchcase(name, pattern)
            for name in [*names, *(b.name for source in runs for b in source.rescored.boundaries)]
        )
    ]
    faults += [
        Fault(
            (f"--levels {level}",),
            f"there is no such level.{nearest(level, LEVELS)} Levels: {', '.join(LEVELS)}",
        )
        for level in ask.levels
        if level not in LEVELS
    ]
    if faults:
        raise ConfigError(f"boundaries of this run: {', '.join(names) or 'none'}", faults)
    found = [
        i
        for i, name in zip(order, names, strict=True)
        if (not ask.concepts or any(fnmatchcase(name, pattern) for pattern in ask.concepts))
        and (not ask.levels or rescored.boundaries[i].level in ask.levels)
    ]
    if not found:
        there = ", ".join(dict.fromkeys(rescored.boundaries[i].level for i in order))
        label = next((f"{source.label}: " for source in runs[1:] and runs if source.rescored is rescored), "")
        wanted = [
            *(f"is of level {' or '.join(ask.levels)}" for _ in ask.levels[:1]),
            *(f"fits {', '.join(ask.concepts)}" for _ in ask.concepts[:1]),
        ]
        raise UserError(
            f"{label}no boundary {' and '.join(wanted) or 'was learnt'}; there are boundaries of {there or 'no level'}"
        )
    return found


def unmeasured(rescored: Effects) -> list[str]:
    """A sentence about concepts whose changes have no size here, if there are any."""
    names = rescored.constant
    return [f"Does not vary here, so that changes of it have no unit: {', '.join(names)}."] if names else []


def select_layer_set(rescored: Effects, asked: str | None, *, usual: str = "all") -> tuple[str, int]:
    """Name and position of one layer set that was re-scored.

    Raises:
        LayerError: none of the name, several, or one that was not re-scored.
    """
    names, count = list(rescored.sets), len(rescored.sets["all"])
    if asked is None:
        return usual, names.index(usual)
    if asked in names:
        return asked, names.index(asked)
    meant = layer_sets([asked], rescored.groups, count)
    same = [name for name in names if rescored.sets[name] in meant.values()]
    if len(meant) != 1 or not same:
        what = (
            "that is several layer sets; name one"
            if len(meant) != 1
            else "these layers were not re-scored together"
        )
        raise LayerError(
            f"--layers {asked}: {what}. This run has {', '.join(names)}; more are made by rescoring.layers"
        )
    return same[0], names.index(same[0])


def labels_of(paths: Sequence[Path]) -> list[str]:
    """Names for runs in a figure: the folder's, with as much of the path before it as tells them apart.

    >>> labels_of([Path("runs/a"), Path("runs/b"), Path("old/b")])
    ['a', 'runs/b', 'old/b']
    """
    parts = [path.resolve().parts if path.name in ("", "..") else path.parts for path in paths]
    found = []
    for i, own in enumerate(parts):
        others = [other for j, other in enumerate(parts) if j != i]
        length = next(
            (n for n in range(1, len(own) + 1) if all(other[-n:] != own[-n:] for other in others)), len(own)
        )
        found.append("/".join(own[-length:]))
    return found


def check_comparable(sources: Sequence[LabelledRun]) -> list[str]:
    """Refuse runs whose numbers cannot stand side by side; sentences about what is left out.

    Numbers meet when the scorers that runs have in common are the same plugin with the same settings
    and checkpoint, score a concept that all runs score, and samples were moved equally far.

    Raises:
        ConfigError: they do not, with every reason.
    """
    first, faults = sources[0], []
    for other in sources[1:]:
        where = (f"{first.label} and {other.label}",)
        a, b = first.run.record, other.run.record
        mine, theirs = ({scorer.alias: scorer for scorer in record.config.scorers} for record in (a, b))
        for alias in sorted(mine.keys() & theirs.keys()):
            if mine[alias] != theirs[alias]:
                faults.append(
                    Fault(
                        where,
                        f"the scorer '{alias}' is not the same: {_plainly(mine[alias])} there, {_plainly(theirs[alias])} here",
                    )
                )
            elif a.checkpoints.get(alias) != b.checkpoints.get(alias):
                faults.append(Fault(where, f"the checkpoint of the scorer '{alias}' is not the same"))
            elif a.provenance is not None and b.provenance is not None:
                pair = (record.scorers[alias].essence for record in (a.provenance, b.provenance))
                faults += [Fault(where, said) for said in plugin_changes(f"the scorer '{alias}'", *pair)]
        if not _scored(first) & _scored(other):
            faults.append(
                Fault(
                    where,
                    f"no concept is scored in both: {_some(_scored(first))} there, {_some(_scored(other))} here",
                )
            )
        for key, words in (
            ("distance", "samples were moved {} there, {} here"),
            ("distance_unit", "distances are in {} there, in {} here"),
        ):
            old, new = (getattr(record.config.rescoring, key) for record in (a, b))
            if old != new:
                faults.append(Fault(where, "rescoring: " + words.format(old, new)))
    if faults:
        raise ConfigError("these runs cannot stand in one figure", faults)
    shared = set.intersection(*(_scored(source) for source in sources))
    if not shared:
        raise ConfigError(
            "these runs cannot stand in one figure",
            [Fault(("all of them",), "no concept is scored in every run")],
        )
    apart = sorted(
        {source.rescored.boundaries[i].concept for source in sources for i in source.rescored.ranking()}
        - shared
    )
    return [f"Left out, because not every run scores them: {', '.join(apart)}."] if apart else []


def shared_rows(sources: Sequence[LabelledRun], rows: Sequence[Sequence[int]]) -> list[list[int]]:
    """Of boundaries of each run, those of concepts that every run scores."""
    shared = set.intersection(*(_scored(source) for source in sources))
    return [
        [i for i in mine if source.rescored.boundaries[i].concept in shared]
        for source, mine in zip(sources, rows, strict=True)
    ]


def _scored(source: LabelledRun) -> set[str]:
    return {row["id"] for row in source.rescored.concepts}


def _plainly(scorer: UseScorer) -> str:
    return f"{scorer.use} {json.dumps(scorer.options, sort_keys=True, default=str)}"


def _some(names: set[str]) -> str:
    shown = sorted(names)[:3]
    return ", ".join(shown) + (" and more" if len(names) > len(shown) else "")


def bracketed(value: float, low: float, high: float, digits: int = 2) -> str:
    """A number with its interval for a sentence or a printed table.

    >>> bracketed(-0.5, -0.75, float("nan"))
    '−0.50 [−0.75, –]'
    """
    shown = [
        "–" if np.isnan(v) else f"{round(v, digits) + 0.0:.{digits}f}".replace("-", "−")
        for v in (value, low, high)
    ]
    return shown[0] if np.isnan(value) else f"{shown[0]} [{shown[1]}, {shown[2]}]"


def plain(value: float, digits: int = 2) -> str:
    """A number for a printed table; a dash where there is none, powers of ten where it is tiny."""
    if np.isnan(value):
        return "–"
    tiny = value != 0.0 and abs(value) < 10.0**-digits
    return (f"{value:.0e}" if tiny else f"{value:.{digits}f}").replace("-", "−")


def in_words(name: str, rescored: Effects) -> str:
    """A layer set for a sentence."""
    return (
        "all layers"
        if name == "all"
        else f"the {name} layers"
        if name in rescored.groups
        else f"layers {name}"
    )
