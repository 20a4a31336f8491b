"""Represent a finished run as an object: samples, boundaries and effects are read on first access."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import numpy as np

from ..analyses.hierarchy import hierarchy_of_run
from ..boundaries.files import load_boundaries
from ..boundaries.learn import Learnt
from ..boundaries.resampled import RESAMPLED_FILE, Resampled
from ..errors import UserError
from ..plugins.records import Concept
from ..probing.samples import Samples, classes_of
from ..probing.stage import open_samples
from ..rescoring.found import FoundDirection, found_directions
from ..rescoring.hierarchy import Hierarchy
from ..rescoring.results import Effects
from ..rescoring.stored_effects import read_effects
from ..runs.run import Run
from ..storage.rows import JoinedColumns, Rows, StoredRows


class Results(Run):
    """Represent a run directory with the results of its stages. Nothing is written, and no network is loaded.

    Attributes:
        path: the directory.
        config: config of the run.
        manifest: run.json.
    """

    @cached_property
    def samples(self) -> Samples:
        """Samples with a finite picture, from stage `synthesize`, all in memory; see `sample_blocks`.

        Raises:
            RunError: the stage is not complete, or its files are damaged.
        """
        return next(self.sample_blocks(self.config.synthesis.samples))

    def sample_blocks(self, rows: int = 4096) -> Iterator[Samples]:
        """Yield the samples with a finite picture in blocks, of which only one is in memory.

        Args:
            rows: samples in a block, before those without a finite picture are left out.

        Yields:
            Blocks in the order of the samples. Their statistics are those of all samples.

        Raises:
            RunError: the stage `synthesize` is not complete, or its files are damaged.
            UserError: `rows` is not positive.
        """
        if rows < 1:
            raise UserError(f"a block has at least one row; got rows={rows}")
        self.require("synthesize")
        stored, config, aliases = open_samples(self), self.config, [s.alias for s in self.config.scorers]
        tables: dict[str, Rows] = {
            "w": StoredRows(stored, "w"),
            "scores": JoinedColumns([StoredRows(stored, f"scores/{alias}") for alias in aliases]),
        }
        if stored.has("condition"):
            tables["condition"] = StoredRows(stored, "condition")
        if config.synthesis.mixing > 0.0:
            tables["codes"] = StoredRows(stored, "codes")
        every = np.ones(config.synthesis.samples, dtype=np.bool_)
        finite = stored.read("finite") if config.synthesis.allow_nonfinite > 0.0 else every
        # One number a sample, which says whether there are several classes at all.
        known = stored.read("condition")[finite] if "condition" in tables else None
        has_classes = classes_of(known) is not None
        concepts = self.record.concepts
        for start in range(0, len(finite), rows):
            here = slice(start, min(start + rows, len(finite)))
            values = {name: table[here][finite[here]] for name, table in tables.items()}
            condition = values.get("condition")
            yield Samples(
                w=values["w"],
                scores=values["scores"],
                concepts=tuple(Concept(row.id, row.level, threshold=row.threshold) for row in concepts),
                statistics=tuple(concepts),
                codes=values.get("codes"),
                classes=np.asarray(condition, dtype=np.int64) if has_classes else None,
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
