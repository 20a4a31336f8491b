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
from .rows import ConceptRow, ConditionRow, concept_row, condition_rows


@dataclass(frozen=True)
class ReportContent:
    """Hold everything that is computed for the report.

    Attributes:
        effects: effects of the run.
        hierarchy: None where layers were not moved one by one, or no concept is a variation factor.
        figures: by name.
        concepts: a row per learnt boundary, strongest first.
        conditions: a row per conditional direction.
        skipped: why a concept has no boundary, by its name.
        objects: result of `ganstrata analysis objects`, if it was run.
        layers: result of `ganstrata analysis layers`, if it was run.
        depths: mean depths of levels and concepts.
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


def gather(run: Run) -> ReportContent:
    """Compute figures and tables from the files of the stages."""
    effects = read_effects(run)
    _, skipped = load_boundaries(run.path)
    order = effects.ranking()
    everywhere = effects.all_set
    drawn = {"ranking": figures.ranking([ranked(effects, i, everywhere) for i in order])}
    hierarchy = None if effects.missing_hierarchy() else effects.hierarchy()
    if hierarchy is not None:
        drawn |= figures_for(effects, hierarchy)
    drawn["entanglement"] = matrix_figure(effects, effects.ranking(conditional=True), everywhere)
    drawn["cosines"] = cosine_figure(effects, order)
    drawn["ablation"] = figure_of([scored_concept(effects, i, everywhere) for i in order])
    layers = read_layers(run, effects)
    if layers is not None and layers.comparison is not None:
        drawn["layers"] = layers_figure(layers.comparison)
    depths = [] if hierarchy is None else depth_rows(hierarchy, levels_of_factors(effects, hierarchy))
    rows = [concept_row(effects, i) for i in order]
    return ReportContent(
        effects, hierarchy, drawn, rows, condition_rows(effects), skipped, read_objects(run), layers, depths
    )
