"""Compute each part of a comparison once, and keep it under a key of what it stands on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..boundaries.null_directions import at_layers, random_directions
from ..config.schema import RunConfig
from ..config.schema import Use as Used
from ..plugins.boundary import Boundaries, Boundary
from ..plugins.learner import BoundaryLearner
from ..runs.progress import Progress
from ..runs.provenance.describe import environment_of, plugin_record
from ..runs.provenance.records import digest
from ..storage.kept_results import Store
from ..strata.scored_generator import ScoredGenerator
from .entries import Entry
from .learning import Learned, built, learned, options_of
from .moving import Direction, Moved, SpaceLengths, moved, space_lengths
from .request import BoardRequest
from .sampled import Drawn, Sampled, draw

FORMAT = 4  # of what is stored; rises when a number is computed otherwise


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


class Comparison:
    """Represent one comparison: what it computes, and where that is kept.

    Args:
        config: generator, scorers, samples, random directions and the seed.
        request: learners and steps.
        store: where results are kept.
        scored: the generator with its scorers.
        device: where they compute.
        progress: where progress is shown.
    """

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
            [
                FORMAT,
                environment,
                generator.model_dump(),
                list(scorers.items()),
                synthesis,
                request.fresh,
                config.learning.space,
            ]
        )

    @property
    def has_samples(self) -> bool:
        """Whether samples are kept from an earlier call."""
        return self.store.get("samples", self.key) is not None

    @property
    def has_space(self) -> bool:
        """Whether the path lengths of the space are."""
        return self.store.get("space", self._space_key) is not None

    @property
    def _space_key(self) -> str:
        return digest([self.key, self.config.rescoring.samples])

    def missing(self, learners: Sequence[tuple[Entry, BoundaryLearner]], moves_key: str) -> int:
        """Return how many learners are not kept from an earlier call."""
        return sum(self.store.get(*self._place(*one, moves_key)) is None for one in learners)

    def _place(self, entry: Entry, learner: BoundaryLearner, moves_key: str) -> tuple[str, str]:
        """Return name and key of what is kept of a learner."""
        used = Used.model_validate({"use": entry.use, "with": options_of(entry)})
        key = digest([moves_key, plugin_record("boundary", used, learner).model_dump()])
        return learner_file(entry.label), key

    def drawn(self) -> Drawn:
        """Return the samples."""
        stored = self.store.get("samples", self.key)
        if stored is None:
            made = draw(self.scored, self.config, self.request.fresh, self.progress)
            arrays = {name: getattr(made, name) for name in ("w", "codes", "scores", "classes", "styles")}
            self.store.put("samples", self.key, arrays, {"count": made.count})
            return made
        self.progress.say("samples: read from an earlier call")
        return Drawn(**stored.arrays, count=stored.facts["count"])

    def space(self) -> SpaceLengths:
        """Return the path lengths of the space."""
        key = self._space_key
        stored = self.store.get("space", key)
        if stored is None:
            made = space_lengths(self.scored, self.config.rescoring.samples)
            facts = {"unit": made.unit, "measured_by": made.measured_by}
            arrays = {name: getattr(made, name) for name in ("full", "end", "null_full", "null_end")}
            self.store.put("space", key, arrays, facts)
            return made
        known: dict[str, Any] = {**stored.arrays, **stored.facts}
        return SpaceLengths(**known)

    def built(self, entry: Entry) -> BoundaryLearner:
        """Build a learner.

        Raises:
            GanstrataError: it cannot be had, or not for this generator or so many samples.
        """
        synthesis = self.config.synthesis
        return built(
            entry,
            self.scored.generator,
            synthesis.samples,
            mixed=synthesis.mixing > 0.0,
            space=self.config.learning.space,
        )

    def learner(
        self, entry: Entry, learner: BoundaryLearner, shared: Sampled, moves_key: str
    ) -> tuple[Learned, Moved]:
        """Return a learner's boundaries and what moving along them changes.

        Raises:
            GanstrataError: the learner refuses the samples, or breaks the contract.
        """
        name, key = self._place(entry, learner, moves_key)
        stored = self.store.get(name, key)
        if stored is not None:
            self.progress.say(f"{entry.label}: read from an earlier call")
            return learner_from_store(stored.arrays, stored.facts)
        scored, seed = self.scored, self.config.synthesis.seed
        found = learned(learner, scored.generator, shared, seed, scored.precision)
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
        generator, styles = self.scored.generator, shared.styles
        normals = random_directions(generator, count, seed, layerwise=kind.layerwise, styles=styles)
        normals = at_layers(generator, normals, kind.layers, styles=styles)
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
        **{f"slope-{b}": one.slope for b, one in enumerate(found.boundaries) if one.slope is not None},
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


def learner_file(label: str) -> str:
    """Return the name under which a learner is kept."""
    return f"learner-{digest(label)[:12]}"


def learner_from_store(arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> tuple[Learned, Moved]:
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
            slope=arrays.get(f"slope-{b}"),
        )
        for b, (row, normal, offset) in enumerate(
            zip(facts["boundaries"], arrays["normals"], arrays["offsets"], strict=True)
        )
    )
    found = Learned(boundaries, facts["supervised"], facts["milliseconds"])
    return found, Moved(arrays["changes"], arrays["squared"])
