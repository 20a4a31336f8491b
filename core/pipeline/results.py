"""Represent a finished run as an object: samples, boundaries and effects are read on first access."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import numpy as np

from ..analyses.hierarchy import hierarchy_of_run
from ..boundaries.files import load_boundaries
from ..boundaries.learn import Learnt
from ..boundaries.resampled import RESAMPLED_FILE, Resampled
from ..plugins.records import Concept
from ..probing.samples import Samples, classes_of
from ..probing.stage import open_samples
from ..rescoring.found import FoundDirection, found_directions
from ..rescoring.hierarchy import Hierarchy
from ..rescoring.results import Effects
from ..rescoring.stored_effects import read_effects
from ..runs.run import Run


class Results(Run):
    """Represent a run directory with the results of its stages. Nothing is written, and no network is loaded.

    Attributes:
        path: the directory.
        config: config of the run.
        manifest: run.json.
    """

    @cached_property
    def samples(self) -> Samples:
        """Samples with a finite picture, from stage `synthesize`.

        Raises:
            RunError: the stage is not complete, or its files are damaged.
        """
        self.require("synthesize")
        stored, config = open_samples(self), self.config.synthesis
        finite = (
            stored.read("finite") if config.allow_nonfinite > 0.0 else np.ones(config.samples, dtype=bool)
        )
        rows = self.record.concepts
        condition = stored.read("condition")[finite] if stored.has("condition") else None
        return Samples(
            w=stored.read("w")[finite],
            scores=np.concatenate(
                [stored.read(f"scores/{scorer.alias}") for scorer in self.config.scorers], axis=1
            )[finite],
            concepts=tuple(Concept(row.id, row.level, threshold=row.threshold) for row in rows),
            statistics=tuple(rows),
            codes=stored.read("codes")[finite] if config.mixing > 0.0 else None,
            classes=classes_of(condition),
            condition=condition,
        )

    @cached_property
    def boundaries(self) -> Learnt:
        """Boundaries of stage `learn`, and the reasons why other concepts have none.

        Raises:
            GanstrataError: the stage is not complete, or its files are damaged.
        """
        self.require("learn")
        boundaries, skipped = load_boundaries(self.path)
        learnt = Learnt(boundaries)
        learnt.skipped = skipped
        if RESAMPLED_FILE in self.record.stages["learn"].files:
            learnt.relearnt = Resampled.load(self.path, boundaries)
        return learnt

    @cached_property
    def effects(self) -> Effects:
        """Effects of stage `rescore`.

        Raises:
            GanstrataError: the stage is not complete, or its files are damaged.
        """
        self.require("synthesize", "learn", "rescore")
        return read_effects(self)

    @cached_property
    def directions(self) -> tuple[FoundDirection, ...]:
        """Directions found without labels, with what is known of each, named ones first, then by strength.

        Meaning, target, effect, layers and the facts of its learner, as in directions.csv. Empty for a run
        that learns from labels.

        Raises:
            GanstrataError: stage `rescore` is not complete, or its files are damaged.
        """
        return found_directions(self.effects)

    def hierarchy(self) -> Hierarchy:
        """Compute in which layers each level of meaning is decided.

        Raises:
            UserError: single layers were not moved, or no concept is a variation factor.
        """
        return hierarchy_of_run(self.effects, str(self.path))


def open_run(path: Path | str) -> Results:
    """Open an existing run directory for reading.

    Raises:
        RunError: it is not a run directory, or its run.json is damaged.

    Example:
        >>> open_run("nowhere")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        ganstrata.core.errors.RunError: nowhere is not a run directory: there is no such directory...
    """
    return Results.open(path)
