"""Compute the figures and tables of the report from a run, without drawing or HTML of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..analyses.ablation import scored_concept
from ..analyses.ablation_result import figure_of
from ..analyses.entanglement_result import cosine_figure, matrix_figure
from ..analyses.hierarchy import Depth, depth_rows, levels_of_factors
from ..analyses.hierarchy_result import figures_for
from ..analyses.objects_record import Objects, read_objects
from ..analyses.right_layers_result import StoredComparison, read_layers
from ..analyses.right_layers_result import figure_of as layers_figure
from ..boundaries.files import load_boundaries
from ..figures import rankings as figures
from ..figures.figure import Figure
from ..rescoring.hierarchy import Hierarchy
from ..rescoring.results import Effects
from ..rescoring.stored_effects import read_effects
from ..rescoring.tables import ranked
from ..runs.run import Run
from .directions import Directions, directions_of
from .rows import ConceptRow, ConditionRow, concept_row, condition_rows

DRAWN = 40  # directions found without labels in a figure, the strongest; the tables have all


@dataclass(frozen=True)
class ReportContent:
    """Hold everything that is computed for the report.

    Attributes:
        effects: effects of the run.
        hierarchy: None where layers were not moved one by one, or no concept is a variation factor.
        figures: by name.
        concepts: a row per boundary, strongest first.
        conditions: a row per conditional direction.
        skipped: why a concept has no boundary, by its name.
        objects: result of `ganstrata analysis objects`, if it was run.
        layers: result of `ganstrata analysis layers`, if it was run.
        depths: mean depths of levels and concepts.
        directions: directions found without labels; None if there are none.
        undrawn: number of directions that are too many for the figures.
    """

    effects: Effects
    hierarchy: Hierarchy | None
    figures: dict[str, Figure]
    concepts: list[ConceptRow]
    conditions: list[ConditionRow]
    skipped: dict[str, str]
    objects: Objects | None = None
    layers: StoredComparison | None = None
    depths: Sequence[Depth] = ()
    directions: Directions | None = None
    undrawn: int = 0


def gather(run: Run) -> ReportContent:
    """Compute figures and tables from the files of the stages."""
    effects = read_effects(run)
    _, skipped = load_boundaries(run.path)
    order = effects.ranking()
    shown = _drawn(effects, order)
    labelled = [i for i in order if not effects.boundaries[i].direction]
    everywhere = effects.all_set
    drawn = {"ranking": figures.ranking([ranked(effects, i, everywhere) for i in shown])}
    hierarchy = None if effects.missing_hierarchy() else effects.hierarchy()
    if hierarchy is not None:
        drawn |= figures_for(effects, hierarchy)
    conditional = [i for i in effects.ranking(conditional=True) if effects.boundaries[i].given]
    drawn["entanglement"] = matrix_figure(effects, [*shown, *conditional], everywhere)
    drawn["cosines"] = cosine_figure(effects, shown)
    if labelled:
        drawn["ablation"] = figure_of([scored_concept(effects, i, everywhere) for i in labelled])
    layers = read_layers(run, effects)
    if layers is not None and layers.comparison is not None:
        drawn["layers"] = layers_figure(layers.comparison)
    depths = [] if hierarchy is None else depth_rows(hierarchy, levels_of_factors(effects, hierarchy))
    words = {direction.row: direction.words for direction in effects.directions()}
    return ReportContent(
        effects,
        hierarchy,
        drawn,
        [concept_row(effects, i, words.get(i, "")) for i in order],
        condition_rows(effects),
        skipped,
        read_objects(run),
        layers,
        depths,
        directions_of(effects),
        len(order) - len(shown),
    )


def _drawn(effects: Effects, order: Sequence[int]) -> list[int]:
    """Return the boundaries learnt from labels, and the DRAWN first directions found without, in order."""
    found = [i for i in order if effects.boundaries[i].direction]
    left_out = set(found[DRAWN:])
    return [i for i in order if i not in left_out]
