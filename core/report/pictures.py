"""Lay out the report's pictures: samples, edits layer by layer, right and wrong layers, the joint edit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..analyses.right_layers_result import StoredComparison
from ..editing.stage import JointPart, strip_name
from ..editing.strips import GAP, StripIndex, split_strip
from ..figures.pages import data_uri
from ..figures.pictures import Pixels, read_stored, tile
from ..plugins.records import LEVELS
from ..rescoring.results import Effects, concept_units
from ..runs.manifest import ConceptStats
from ..runs.run import Run
from ..storage.filenames import file_stem
from ..strata.layers import show_layers

LISTED = 3  # concepts named under each sample, per level


@dataclass(frozen=True)
class SampleView:
    """Hold the picture of a sample as a data URI, and the level, name and score of what stands out in it."""

    image: str
    scores: tuple[tuple[str, str, float], ...]


@dataclass(frozen=True)
class LayerSetView:
    """Hold the name of a layer set, and its layers in words."""

    name: str
    layers: str


@dataclass(frozen=True)
class EditView:
    """Hold the edits along a variation factor.

    Attributes:
        name, level: of the factor.
        sets: layer sets, the rows of a sheet.
        sheets: a data URI per sample; columns are steps.
        height, width: of a picture in pixels.
    """

    name: str
    level: str
    sets: tuple[LayerSetView, ...]
    sheets: tuple[str, ...]
    height: int
    width: int


@dataclass(frozen=True)
class LayerSheetView:
    """Hold the pictures of a concept at right and wrong layers: names of the sets, and a data URI."""

    name: str
    sets: tuple[str, ...]
    image: str


@dataclass(frozen=True)
class JointView:
    """Hold the joint edit: its parts, and a data URI."""

    parts: Sequence[JointPart]
    image: str


def sample_views(
    concepts: Sequence[ConceptStats], pictures: Pixels, scores: NDArray[np.float32]
) -> list[SampleView]:
    """Show each sample with the concepts that stand out in it, by level.

    A concept stands out by (score - mean) / sd over the run's samples, if that is above 0.

    Args:
        concepts: statistics of each concept's scores, (C,).
        pictures: (n, H, W, 3).
        scores: (n, C).
    """
    shown, units = [], concept_units(concepts)
    for picture, row in zip(pictures, scores, strict=True):
        lines: list[tuple[str, str, float]] = []
        for level in LEVELS:
            columns = [j for j, c in enumerate(concepts) if c.level == level and not np.isnan(row[j])]
            # Layout scores are positions, for which "above the mean" says nothing: one is always shown.
            distance = {
                j: float(np.nan_to_num((row[j] - (concepts[j].mean or 0.0)) / units[j])) for j in columns
            }
            columns = sorted(
                (j for j in columns if distance[j] > 0.0 or level == "layout"), key=lambda j: -distance[j]
            )
            lines += [
                (level, concepts[j].id.split("/", 1)[1], float(row[j]))
                for j in columns[: 1 if level == "layout" else LISTED - 1]
            ]
        shown.append(SampleView(data_uri(picture), tuple(lines)))
    return shown


def edit_views(run: Run, effects: Effects, index: StripIndex) -> list[EditView]:
    """Show each variation factor that was learnt from labels, a sheet per sample (paper, fig. 3c)."""
    names = list(effects.groups) or ["all"]
    sets = tuple(
        LayerSetView(s, show_layers(effects.sets[s] if s in effects.sets else effects.groups[s]))
        for s in names
    )
    views = []
    for name in (name for name in effects.factor_names if not effects.boundaries.of(name).direction):
        strips = [
            split_strip(
                read_stored((run.path / strip_name(name, s)).read_bytes()),
                len(index.amounts),
                run.config.editing.samples,
            )
            for s in names
        ]
        frames = np.stack(strips, axis=1)  # (samples, sets, steps, H, W, C)
        sheets = tuple(data_uri(tile(sheet, gap=GAP), run.record.generator.background) for sheet in frames)
        height, width = frames.shape[3:5]
        views.append(EditView(name, effects.boundaries.of(name).level, sets, sheets, height, width))
    return views


def layer_sheet_views(layers: StoredComparison | None, background: str) -> list[LayerSheetView]:
    """Show the pictures of the chapter on right and wrong layers, if there is one."""
    if layers is None or layers.comparison is None:
        return []
    comparison = layers.comparison
    names = {file_stem(name): name for name in comparison.names}
    sets = {stem: tuple(row.set_name for row in comparison.of(name)) for stem, name in names.items()}
    return [
        LayerSheetView(names[stem], sets[stem], data_uri(sheet, background))
        for stem, sheet in layers.pictures.items()
    ]


def joint_view(run: Run, index: StripIndex) -> JointView | None:
    """Show the joint edit with its parts; None if there are none."""
    if not index.joint:
        return None
    picture = read_stored((run.path / "edits/joint.png").read_bytes())
    return JointView(index.joint, data_uri(picture, run.record.generator.background))
