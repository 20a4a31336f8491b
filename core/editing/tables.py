"""Write the tables of edits: the distances of every step, and its scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..runs.manifest import ConceptStats
from ..storage.csv_tables import csv_text
from .render import Frames
from .steps import Strip


@dataclass(frozen=True)
class Edited:
    """Hold a strip with the pictures before (T = 1) and at its steps."""

    strip: Strip
    before: Frames
    frames: Frames


def nearest_step(each: Edited) -> int:
    """Return the step next to where the unedited pictures lie themselves.

    Moved by a distance, pictures lie themselves at 0. In mode absolute it is their own distance from the
    boundary, of which the median over pictures counts: the projection of a code on the boundary's normal.
    """
    distances = each.strip.distances  # (P, T)
    if not len(distances):
        return 0
    if each.strip.mode == "absolute":
        own = np.nanmedian(each.before.distances[:, 0], axis=0)[:, None]  # (P, 1)
        return int(np.abs(distances - own).max(axis=0).argmin())
    return int(np.abs(distances).max(axis=0).argmin())


def steps_text(names: Sequence[str], edited: Sequence[Edited]) -> str:
    """Return steps.csv: a row per strip, sample, step and part, with both distances."""
    rows: list[tuple[str | float, ...]] = [
        ("strip", "sample", "step", "boundary", "layers", "distance", "from_boundary")
    ]
    for each in edited:
        for k, name in enumerate(names):
            for p, part in enumerate(each.strip.parts):
                sample, moved = (each.strip.name, name), (part.boundary.name, part.set_name)
                rows.append((*sample, "unedited", *moved, "", each.before.distances[k, 0, p]))
                rows += [
                    (*sample, t, *moved, distance, each.frames.distances[k, t, p])
                    for t, distance in enumerate(each.strip.distances[p])
                ]
    return csv_text(rows)


def scores_text(names: Sequence[str], edited: Sequence[Edited], concepts: Sequence[ConceptStats]) -> str:
    """Return scores.csv: a row per strip, sample and step, a column per concept."""
    rows: list[tuple[str | float, ...]] = [("strip", "sample", "step", *(concept.id for concept in concepts))]
    for each in edited:
        assert each.before.scores is not None
        assert each.frames.scores is not None
        for k, name in enumerate(names):
            table = [
                ("unedited", each.before.scores[k, 0]),
                *((str(t), row) for t, row in enumerate(each.frames.scores[k])),
            ]
            rows += [(each.strip.name, name, t, *row) for t, row in table]
    return csv_text(rows)
