"""Label the runs that share a figure, and check that they can be compared."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..config.schema import UseScorer
from ..errors import ConfigError, Fault
from ..rescoring.results import Effects
from ..runs.provenance.changes import plugin_changes
from ..runs.run import Run

NOT_COMPARABLE = "these runs cannot be compared in one figure"


@dataclass(frozen=True)
class LabelledRun:
    """Hold a re-scored run, its effects and its label in figures."""

    label: str
    run: Run
    effects: Effects


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
        spaces = [record.config.learning.space for record in (a, b)]
        if spaces[0] != spaces[1]:
            words = "learning.space: steps in w and in s have no common unit"
            faults.append(Fault(place, f"{words}: {_pair(first, spaces[0], other, spaces[1])}"))
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
