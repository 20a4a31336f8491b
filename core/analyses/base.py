"""Provide what the analyses share: requests, results, and the selection of boundaries and layers."""

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
from ..storage.csv_tables import Table
from ..storage.disk import file_hash
from ..storage.result_folder import index_text
from ..strata.layers import layer_sets

NOT_COMPARABLE = "these runs cannot be compared in one figure"


@dataclass(frozen=True)
class AnalysisRequest:
    """Represent the options of an analysis.

    Attributes:
        concepts: patterns of names such as attribute/*; empty for all concepts that have a boundary.
        levels: levels to include; empty for all.
        top: number of concepts, strongest first; None for the default of the analysis.
        layers: a layer set of the run; None for the default of the analysis.
        out: folder to write; None for analysis/NAME in the run.
        cluster: in the entanglement matrix, place concepts that move each other next to each other.
    """

    concepts: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()
    top: int | None = None
    layers: str | None = None
    out: Path | None = None
    cluster: bool = False


@dataclass(frozen=True)
class LabelledRun:
    """Hold a re-scored run, its effects and its label in figures."""

    label: str
    run: Run
    effects: Effects


@dataclass(frozen=True)
class AnalysisResult:
    """Hold the result of an analysis.

    Attributes:
        name: name of the analysis and of its folder.
        table: the printed table.
        sentences: conclusions, written by rule from the numbers.
        figures: figures, each written as an SVG and a CSV.
        tables: further CSV files by name.
        request: the options that the analysis used, after defaults.
        pictures: PNG files by name.
    """

    name: str
    table: Table
    sentences: list[str]
    figures: list[Figure]
    tables: dict[str, Table]
    request: dict[str, Any]
    pictures: dict[str, bytes] = field(default_factory=dict)

    def files(self, sources: Sequence[LabelledRun]) -> dict[str, bytes]:
        """Return the content of every file by name; NAME.json records the request and the runs."""
        contents = {f"{figure.name}.svg": figure.file.encode() for figure in self.figures}
        contents |= {f"{figure.name}.csv": figure.csv.encode() for figure in self.figures}
        contents |= {f"{name}.csv": table.csv.encode() for name, table in self.tables.items()}
        contents |= self.pictures
        index = {
            "analysis": self.name,
            "asked": self.request,
            "runs": [
                {
                    "label": source.label,
                    "generator": source.run.record.generator.fingerprint,
                    **{name: file_hash(source.run.path / name) for name in FILES},
                }
                for source in sources
            ],
            "stands_on": {"rescore": sources[0].run.keys.stages["rescore"]},
            "sentences": self.sentences,
        }
        return contents | {f"{self.name}.json": index_text(index, contents)}


def request_record(request: AnalysisRequest, **resolved: Any) -> dict[str, Any]:
    """Return the request as NAME.json stores it: without the output folder, with resolved defaults."""
    options = {key: value for key, value in asdict(request).items() if key not in ("out", "cluster")}
    return options | resolved


def select_boundaries(
    effects: Effects,
    request: AnalysisRequest,
    order: Sequence[int] | None = None,
    *,
    runs: Sequence[LabelledRun] = (),
) -> list[int]:
    """Return the positions of the boundaries that match the patterns and levels, strongest first.

    Args:
        effects: effects of the run.
        request: patterns and levels.
        order: positions of the candidates, in the order to keep; None for the ranking at all layers, without
            conditional directions.
        runs: all runs of the figure; a pattern is valid if it matches a boundary of any of them.

    Raises:
        ConfigError: a pattern matches no boundary or a level is unknown; the error lists all such faults.
        UserError: no boundary matches.
    """
    order = effects.ranking() if order is None else order
    names = [effects.boundaries[i].name for i in order]
    faults = [
        Fault((f"--concepts {pattern}",), f"no boundary of this run matches.{nearest(pattern, names)}")
        for pattern in request.concepts
        if not any(
            fnmatchcase(name, pattern)
            for name in [*names, *(b.name for source in runs for b in source.effects.boundaries)]
        )
    ]
    faults += [
        Fault(
            (f"--levels {level}",),
            f"there is no such level.{nearest(level, LEVELS)} Levels: {', '.join(LEVELS)}",
        )
        for level in request.levels
        if level not in LEVELS
    ]
    if faults:
        raise ConfigError(f"boundaries of this run: {', '.join(names) or 'none'}", faults)
    selected = [
        i
        for i, name in zip(order, names, strict=True)
        if (not request.concepts or any(fnmatchcase(name, pattern) for pattern in request.concepts))
        and (not request.levels or effects.boundaries[i].level in request.levels)
    ]
    if not selected:
        available = ", ".join(dict.fromkeys(effects.boundaries[i].level for i in order))
        label = next((f"{source.label}: " for source in runs[1:] and runs if source.effects is effects), "")
        conditions = [
            *(f"is of level {' or '.join(request.levels)}" for _ in request.levels[:1]),
            *(f"matches {', '.join(request.concepts)}" for _ in request.concepts[:1]),
        ]
        raise UserError(
            f"{label}no boundary {' and '.join(conditions) or 'was learnt'}; "
            f"there are boundaries of {available or 'no level'}"
        )
    return selected


def constant_sentences(effects: Effects) -> list[str]:
    """Return a sentence that names the constant concepts, whose changes have no unit, if there are any."""
    names = effects.constant
    if not names:
        return []
    return [f"These concepts do not vary here, so their changes have no unit: {', '.join(names)}."]


def select_layer_set(effects: Effects, layers: str | None, *, default: str = "all") -> tuple[str, int]:
    """Return the name of a re-scored layer set and its position on the axis of sets.

    Args:
        effects: effects of the run.
        layers: name or numbers of the set, such as `upper` or `6-11`; None for the default.
        default: name of the default set.

    Raises:
        LayerError: there is no such set, there are several, or it was not re-scored.
    """
    names, count = list(effects.sets), len(effects.sets["all"])
    if layers is None:
        return default, names.index(default)
    if layers in names:
        return layers, names.index(layers)
    requested = layer_sets([layers], effects.groups, count)
    same = [name for name in names if effects.sets[name] in requested.values()]
    if len(requested) != 1 or not same:
        fault = (
            "that is several layer sets; name one"
            if len(requested) != 1
            else "these layers were not re-scored together"
        )
        raise LayerError(
            f"--layers {layers}: {fault}. This run has {', '.join(names)}; "
            "rescoring.layers in the config of a new run adds others"
        )
    return same[0], names.index(same[0])


def labels_of(paths: Sequence[Path]) -> list[str]:
    """Return a label per run: its folder, preceded by as many parent folders as make it unique.

    >>> labels_of([Path("runs/a"), Path("runs/b"), Path("old/b")])
    ['a', 'runs/b', 'old/b']
    """
    parts = [path.resolve().parts if path.name in ("", "..") else path.parts for path in paths]
    labels = []
    for i, own in enumerate(parts):
        others = [other for j, other in enumerate(parts) if j != i]
        length = next(
            (n for n in range(1, len(own) + 1) if all(other[-n:] != own[-n:] for other in others)), len(own)
        )
        labels.append("/".join(own[-length:]))
    return labels


def check_comparable(sources: Sequence[LabelledRun]) -> list[str]:
    """Check that the runs can share a figure, and return a sentence about the concepts that are left out.

    Runs are comparable if the scorers that they have in common are the same plugin with the same settings and
    checkpoint, if at least one concept is scored in all of them, and if samples were moved the same distance.

    Raises:
        ConfigError: the runs are not comparable; the error lists every reason.
    """
    first, faults = sources[0], []
    for other in sources[1:]:
        place = (f"{first.label} and {other.label}",)
        a, b = first.run.record, other.run.record
        a_scorers, b_scorers = (
            {scorer.alias: scorer for scorer in record.config.scorers} for record in (a, b)
        )
        for alias in sorted(a_scorers.keys() & b_scorers.keys()):
            if a_scorers[alias] != b_scorers[alias]:
                difference = _pair(first, _settings(a_scorers[alias]), other, _settings(b_scorers[alias]))
                faults.append(Fault(place, f"the scorer '{alias}' is not the same: {difference}"))
            elif a.checkpoints.get(alias) != b.checkpoints.get(alias):
                faults.append(Fault(place, f"the checkpoint of the scorer '{alias}' is not the same"))
            elif a.provenance is not None and b.provenance is not None:
                versions = (record.scorers[alias].essence for record in (a.provenance, b.provenance))
                faults += [
                    Fault(place, change) for change in plugin_changes(f"the scorer '{alias}'", *versions)
                ]
        if not _scored(first) & _scored(other):
            difference = _pair(first, _examples(_scored(first)), other, _examples(_scored(other)))
            faults.append(Fault(place, f"no concept is scored in both: {difference}"))
        for key, words in (
            ("distance", "samples were moved different distances"),
            ("distance_unit", "distances have different units"),
        ):
            old, new = (getattr(record.config.rescoring, key) for record in (a, b))
            if old != new:
                faults.append(Fault(place, f"rescoring.{key}: {words}: {_pair(first, old, other, new)}"))
    if faults:
        raise ConfigError(NOT_COMPARABLE, faults)
    shared = set.intersection(*(_scored(source) for source in sources))
    if not shared:
        raise ConfigError(NOT_COMPARABLE, [Fault(("all of them",), "no concept is scored in every run")])
    excluded = sorted(
        {source.effects.boundaries[i].concept for source in sources for i in source.effects.ranking()}
        - shared
    )
    return [f"Left out, because not every run scores them: {', '.join(excluded)}."] if excluded else []


def shared_rows(sources: Sequence[LabelledRun], rows: Sequence[Sequence[int]]) -> list[list[int]]:
    """Return, for each run, the positions in `rows` of boundaries whose concepts every run scores."""
    shared = set.intersection(*(_scored(source) for source in sources))
    return [
        [i for i in positions if source.effects.boundaries[i].concept in shared]
        for source, positions in zip(sources, rows, strict=True)
    ]


def _scored(source: LabelledRun) -> set[str]:
    return {concept.id for concept in source.effects.concepts}


def _pair(first: LabelledRun, a: object, other: LabelledRun, b: object) -> str:
    """Return two differing values, each with its run, for an error."""
    return f"{a} in {first.label}, {b} in {other.label}"


def _settings(scorer: UseScorer) -> str:
    return f"{scorer.use} {json.dumps(scorer.options, sort_keys=True, default=str)}"


def _examples(names: set[str]) -> str:
    shown = sorted(names)[:3]
    return ", ".join(shown) + (" and more" if len(names) > len(shown) else "")


def bracketed(value: float, low: float, high: float, digits: int = 2) -> str:
    """Format a number with its interval for a sentence or a printed table.

    >>> bracketed(-0.5, -0.75, float("nan"))
    '−0.50 [−0.75, –]'
    """
    shown = [
        "–" if np.isnan(v) else f"{round(v, digits) + 0.0:.{digits}f}".replace("-", "−")
        for v in (value, low, high)
    ]
    return shown[0] if np.isnan(value) else f"{shown[0]} [{shown[1]}, {shown[2]}]"


def plain(value: float, digits: int = 2) -> str:
    """Format a number for a printed table: NaN as a dash, tiny numbers as powers of ten."""
    if np.isnan(value):
        return "–"
    tiny = value != 0.0 and abs(value) < 10.0**-digits
    return (f"{value:.0e}" if tiny else f"{value:.{digits}f}").replace("-", "−")


def in_words(name: str, effects: Effects) -> str:
    """Name a layer set in a sentence: `all layers`, `the upper layers` or `layers 6-7`."""
    return (
        "all layers"
        if name == "all"
        else f"the {name} layers"
        if name in effects.groups
        else f"layers {name}"
    )
