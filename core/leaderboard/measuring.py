"""Measure all learners on the same samples, and keep what was computed for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..boundaries.null_directions import random_directions
from ..config.schema import RunConfig
from ..config.schema import Use as Used
from ..errors import DataError, GanstrataError
from ..plugins.contracts import Generator
from ..plugins.records import UNKNOWN, Boundaries, Boundary
from ..runs.prepare import prepare_scored
from ..runs.progress import Progress
from ..runs.provenance.describe import environment_of, plugin_record
from ..runs.provenance.records import digest
from ..strata.scored_generator import ScoredGenerator
from .entries import Entry, parse_judges, parse_learners
from .learning import Learned, built, learned, options_of
from .moving import Direction, Moved, SpaceLengths, moved, space_lengths
from .request import BoardRequest
from .sampled import Drawn, Sampled, draw, sampled
from .store import Store

FORMAT = 1  # of what is stored; rises when a number is computed otherwise


@dataclass(frozen=True)
class NullKind:
    """Represent which random directions a direction is compared with: moved where it is, of its shape.

    Attributes:
        layers: layers that are moved, or None for all.
        layerwise: whether there is a normal per layer.
    """

    layers: tuple[int, ...] | None
    layerwise: bool

    @classmethod
    def of(cls, boundary: Boundary) -> NullKind:
        """Return the kind that fits a boundary."""
        return cls(boundary.layers, boundary.normal.ndim == 2)


@dataclass(frozen=True)
class Measured:
    """Hold everything that the numbers of a leaderboard are computed from.

    Attributes:
        config: the config.
        request: what was asked.
        source: origin of the generator's weights, or its family.
        sampled: samples of all learners.
        learned: boundaries by label of the learner.
        moved: what moving each learner's B directions changes, by label.
        nulls: what moving M random directions changes, by kind.
        random_normals: M times B random normals, for what is computed from projections alone; by whether
            there is one per layer.
        space: path lengths of the space.
        judges: groups of concepts that mean the same.
        left: learners that were left out, with the reason.
        generator: the generator.
    """

    config: RunConfig
    request: BoardRequest
    source: str
    sampled: Sampled
    learned: Mapping[str, Learned]
    moved: Mapping[str, Moved]
    nulls: Mapping[NullKind, Moved]
    random_normals: Mapping[bool, NDArray[np.float32]]
    space: SpaceLengths
    judges: Sequence[tuple[str, ...]]
    left: Mapping[str, str]
    generator: Generator


def measure(
    config: RunConfig,
    request: BoardRequest,
    store: Store,
    *,
    source: str = "config",
    progress: Progress | None = None,
) -> Measured:
    """Learn and move the boundaries of all learners; what the store holds is not computed again.

    Args:
        config: generator, scorers, concepts, samples, random directions and the seed. Its boundary learner
            and layer sets play no part.
        request: learners and steps.
        store: where results are kept.
        source: the config's file, for messages.
        progress: where progress is shown; nowhere by default.

    Raises:
        UserError: the config or the request does not fit, or no learner is left.
        GanstrataError: a generator or a scorer fails.
    """
    progress = Progress(quiet=True) if progress is None else progress
    entries = parse_learners(request.learners)
    scored, chosen, device = prepare_scored(config, source=source)
    judges = parse_judges(request.judges, [concept.name for concept in scored.concepts])
    work = _Work(config, request, store, scored, device, progress)
    shared = sampled(scored, work.drawn(), chosen, judges)
    moves_key = digest([work.key, shared.columns, config.rescoring.samples, request.path])
    space = work.space()
    kept: dict[str, tuple[Learned, Moved]] = {}
    left: dict[str, str] = {}
    for entry in entries:
        try:
            kept[entry.label] = work.learner(entry, shared, moves_key)
        except Exception as error:  # the other learners continue, whatever one does wrong
            left[entry.label] = (
                str(error) if isinstance(error, GanstrataError) else f"{type(error).__name__}: {error}"
            )
            progress.say(f"{entry.label} is left out: {left[entry.label]}")
    if not kept:
        raise DataError(
            "no learner is left:\n" + "\n".join(f"  {label}: {reason}" for label, reason in left.items())
        )
    kinds = {NullKind.of(boundary) for one, _ in kept.values() for boundary in one.boundaries}
    nulls = {kind: work.null(kind, shared, moves_key) for kind in sorted(kinds, key=repr)}
    card, count = scored.generator.card, config.rescoring.null_directions * len(shared.concepts)
    normals = {
        layerwise: random_directions(scored.generator, count, config.synthesis.seed, layerwise=layerwise)
        for layerwise in sorted({kind.layerwise for kind in kinds})
    }
    return Measured(
        config=config,
        request=request,
        source=card.source if card.source != UNKNOWN else card.family,
        sampled=shared,
        learned={label: one for label, (one, _) in kept.items()},
        moved={label: change for label, (_, change) in kept.items()},
        nulls=nulls,
        random_normals=normals,
        space=space,
        judges=judges,
        left=left,
        generator=scored.generator,
    )


class _Work:
    """Represent one comparison: what it computes, and where that is kept."""

    def __init__(
        self,
        config: RunConfig,
        request: BoardRequest,
        store: Store,
        scored: ScoredGenerator,
        device: torch.device,
        progress: Progress,
    ) -> None:
        self.config, self.request, self.store, self.scored = config, request, store, scored
        self.progress = progress
        generator = plugin_record("generator", config.generator, scored.generator)
        scorers = {
            used.alias: plugin_record("scorer", used, scored.scorers[used.alias]).model_dump()
            for used in config.scorers
        }
        synthesis = config.as_data()["synthesis"]
        environment = environment_of(scored, device).model_dump()
        self.key = digest(
            [FORMAT, environment, generator.model_dump(), list(scorers.items()), synthesis, request.fresh]
        )

    def drawn(self) -> Drawn:
        """Return the samples."""
        stored = self.store.get("samples", self.key)
        if stored is None:
            made = draw(self.scored, self.config, self.request.fresh, self.progress)
            arrays = {name: getattr(made, name) for name in ("w", "codes", "scores", "classes")}
            self.store.put("samples", self.key, arrays, {"count": made.count})
            return made
        self.progress.say("samples: read from an earlier call")
        return Drawn(**stored.arrays, count=stored.facts["count"])

    def space(self) -> SpaceLengths:
        """Return the path lengths of the space."""
        count = self.config.rescoring.samples
        key = digest([self.key, count])
        stored = self.store.get("space", key)
        if stored is None:
            made = space_lengths(self.scored, count)
            facts = {"unit": made.unit, "measured_by": made.measured_by}
            arrays = {name: getattr(made, name) for name in ("full", "end", "null_full", "null_end")}
            self.store.put("space", key, arrays, facts)
            return made
        known: dict[str, Any] = {**stored.arrays, **stored.facts}
        return SpaceLengths(**known)

    def learner(self, entry: Entry, shared: Sampled, moves_key: str) -> tuple[Learned, Moved]:
        """Return a learner's boundaries and what moving along them changes.

        Raises:
            GanstrataError: the learner cannot be had, or refuses the samples, or breaks the contract.
        """
        learner = built(entry, self.scored.generator, len(shared.w), mixed=shared.codes is not None)
        used = Used.model_validate({"use": entry.use, "with": options_of(entry)})
        key = digest([moves_key, plugin_record("boundary", used, learner).model_dump()])
        name = f"learner-{digest(entry.label)[:12]}"
        stored = self.store.get(name, key)
        if stored is not None:
            self.progress.say(f"{entry.label}: read from an earlier call")
            return _from_store(stored.arrays, stored.facts)
        found = learned(learner, self.scored.generator, shared, self.config.synthesis.seed)
        if any(boundary.space == "s" for boundary in found.boundaries):
            raise DataError("its directions lie in space s, along which samples are not moved here")
        directions = [Direction(boundary.normal, boundary.layers) for boundary in found.boundaries]
        change = self._moved(directions, shared, entry.label)
        self.store.put(name, key, *_to_store(found, change))
        return found, change

    def null(self, kind: NullKind, shared: Sampled, moves_key: str) -> Moved:
        """Return what moving along random directions of a kind changes."""
        count, seed = self.config.rescoring.null_directions, self.config.synthesis.seed
        key = digest([moves_key, asdict(kind), count])
        name = f"random-{digest(asdict(kind))[:12]}"
        stored = self.store.get(name, key)
        if stored is not None:
            return Moved(**stored.arrays)
        normals = random_directions(self.scored.generator, count, seed, layerwise=kind.layerwise)
        change = self._moved([Direction(n, kind.layers) for n in normals], shared, "random directions")
        self.store.put(name, key, change._asdict(), {})
        return change

    def _moved(self, directions: Sequence[Direction], shared: Sampled, label: str) -> Moved:
        samples = self.config.rescoring.samples
        with self.progress.stage(label, total=len(directions) * samples) as step:
            return moved(self.scored, shared, directions, self.request.path, samples, step)


def _to_store(found: Learned, change: Moved) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Return the arrays and the facts of a learner."""
    arrays = {
        "normals": np.stack([boundary.normal for boundary in found.boundaries]),
        "offsets": np.stack([boundary.offset for boundary in found.boundaries]),
        **change._asdict(),
    }
    rows = [
        {
            "concept": boundary.concept,
            "level": boundary.level,
            "space": boundary.space,
            "generator": boundary.generator,
            "direction": boundary.direction,
            "layers": None if boundary.layers is None else list(boundary.layers),
            "facts": {
                name: value
                for name, value in boundary.facts.items()
                if isinstance(value, bool | int | float | str)
            },
        }
        for boundary in found.boundaries
    ]
    facts = {"supervised": found.supervised, "milliseconds": found.milliseconds, "boundaries": rows}
    return arrays, facts


def _from_store(arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> tuple[Learned, Moved]:
    """Return a learner from its arrays and facts."""
    boundaries = Boundaries(
        Boundary(
            row["concept"],
            row["level"],
            normal,
            offset,
            row["space"],
            row["generator"],
            layers=None if row["layers"] is None else tuple(row["layers"]),
            facts=row["facts"],
            direction=row["direction"],
        )
        for row, normal, offset in zip(facts["boundaries"], arrays["normals"], arrays["offsets"], strict=True)
    )
    found = Learned(boundaries, facts["supervised"], facts["milliseconds"])
    return found, Moved(arrays["changes"], arrays["squared"])
