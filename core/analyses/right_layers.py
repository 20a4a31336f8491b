"""Compare an edit at its right layers with the same edit at wrong layers (paper, figs. 18 and 19)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..editing.strips import sheet_of
from ..errors import GanstrataError, UserError
from ..figures.figure import Figure
from ..figures.layer_effects import layer_effects
from ..figures.pictures import Pixels, png
from ..plugins.records import LEVELS
from ..rescoring.hierarchy import Hierarchy
from ..rescoring.results import Effects
from ..runs.run import Run
from ..storage.result_folder import read_index
from .base import (
    AnalysisRequest,
    AnalysisResult,
    LabelledRun,
    bracketed,
    constant_sentences,
    in_words,
    plain,
    request_record,
    select_boundaries,
    select_layer_set,
)
from .layer_effects import LayerEffect, layer_effect, significant_effects

FOLDER, INDEX = "analysis/layers", "layers.json"


@dataclass(frozen=True)
class LayerComparison:
    """Hold the comparison of layers that the command prints and the report shows.

    Attributes:
        rows: effects by boundary, the right layers first.
        peak_share: for each boundary whose right layers are the peak of its level, the share of resamplings
            that have the peak there.
        sentences: conclusions, written by rule.
        pairs: the table concepts.csv; the first row names the columns.
        pictures: a labelled sheet per boundary.
        fault: why there is nothing to show, or empty.
    """

    rows: list[LayerEffect]
    peak_share: dict[str, float]
    sentences: list[str]
    pairs: list[list[Any]]
    pictures: dict[str, Pixels] = field(default_factory=dict)
    fault: str = ""

    @property
    def levels(self) -> list[str]:
        """Levels with at least one scored concept that varies."""
        return [level for level in LEVELS if any(level in row.levels for row in self.rows)]

    @property
    def figure(self) -> Figure:
        """Chart of the change of the own concept and of each level by layer set."""
        return layer_effects(self.rows, self.levels)


def right_layers(hierarchy: Hierarchy) -> dict[str, tuple[str, float]]:
    """Return, by level, the group where its effect peaks and the share of resamplings that agree."""
    groups = {}
    for m, level in enumerate(hierarchy.levels):
        shares = hierarchy.groups.value[m]  # (G,)
        if len(shares) and not np.isnan(shares).any():
            best = int(shares.argmax())
            groups[level] = (hierarchy.group_names[best], float(hierarchy.peak[m, best]))
    return groups


def default_rows(effects: Effects, candidates: Sequence[int], top: int) -> list[int]:
    """Return the `top` strongest variation factors of each level, in the order of LEVELS."""
    rows: list[int] = []
    for level in LEVELS:
        rows += [i for i in candidates if effects.factors[i] and effects.boundaries[i].level == level][:top]
    return rows


def compare(effects: Effects, request: AnalysisRequest) -> LayerComparison:
    """Compare the right layers of boundaries with all other layer groups and with all layers.

    Raises:
        GanstrataError: the request does not fit the run.
    """
    names = list(effects.sets)
    groups = [name for name in effects.groups if name in names]
    if len(effects.sets["all"]) == 1:
        raise UserError("this generator has one layer, so there are no right and wrong layers")
    if len(groups) < 2:
        raise UserError(
            "layer groups were not re-scored; make a run with rescoring.layers: [all, each, groups]"
        )
    selected = select_boundaries(effects, request)
    rows = selected[: request.top] if request.concepts else default_rows(effects, selected, request.top or 1)
    if not rows:
        raise UserError(
            "none of the requested concepts is a variation factor; "
            "name them with --concepts to compare their layers anyway"
        )
    peaks = {} if effects.missing_hierarchy() else right_layers(effects.hierarchy())
    right_set = None if request.layers is None else select_layer_set(effects, request.layers)[0]
    if right_set is None:
        unknown = sorted({effects.boundaries[i].level for i in rows} - peaks.keys())
        if unknown:
            raise UserError(
                f"single layers do not show where {' and '.join(unknown)} peaks; "
                "give the right layers with --layers"
            )
    shown = dict.fromkeys([*groups, *([right_set] if right_set else []), "all"])
    beyond, pairs = significant_effects(effects, rows, [names.index(name) for name in shown])
    compared: list[LayerEffect] = []
    peak_share: dict[str, float] = {}
    for i in rows:
        boundary = effects.boundaries[i]
        right = right_set or peaks[boundary.level][0]
        if right_set is None:
            peak_share[boundary.name] = peaks[boundary.level][1]
        compared += [
            layer_effect(effects, i, names.index(name), beyond, is_right=name == right)
            for name in dict.fromkeys([right, *groups, "all"])
        ]
    sentences: list[str] = []
    for i in rows:
        name = effects.boundaries[i].name
        sentences += _boundary_sentences(effects, [row for row in compared if row.name == name], peak_share)
    sentences += _wrong_layer_sentences(effects, compared, groups) + constant_sentences(effects)
    return LayerComparison(compared, peak_share, sentences, pairs)


def _boundary_sentences(
    effects: Effects, rows: Sequence[LayerEffect], peak_share: Mapping[str, float]
) -> list[str]:
    """Describe one boundary: the change of its own concept at each layer set, then its side effects."""
    right = next((row for row in rows if row.is_right), rows[0])
    whole = next(row for row in rows if row.set_name == "all")
    peak = (
        f", where {right.level} peaks in {100 * peak_share[right.name]:.0f} % of resamplings"
        if right.name in peak_share
        else ""
    )
    wrong = [
        f"{bracketed(*row.target)} at {in_words(row.set_name, effects)}"
        for row in rows
        if row is not right and row is not whole
    ]
    if right is not whole:
        wrong.append(f"{bracketed(*whole.target)} at all layers")
    sentences = [
        f"{right.name} rises by {bracketed(*right.target)} standard deviations "
        f"at {in_words(right.set_name, effects)}{peak}; by {', '.join(wrong)}."
    ]
    best = max(
        (row for row in rows if row is not whole),
        key=lambda row: -np.inf if np.isnan(row.target[0]) else row.target[0],
    )
    if best is not right and best.target[1] > right.target[2]:
        sentences.append(
            f"{right.name} itself rises most at {in_words(best.set_name, effects)}: "
            f"--layers {best.set_name} may be a better choice."
        )
    here, everywhere = right.elsewhere, whole.elsewhere
    if right is not whole and not np.isnan(here.value):
        verdict = (
            "so other levels change less there"
            if here.high < everywhere.low
            else "so other levels change more there"
            if here.low > everywhere.high
            else "which shows no difference"
        )
        sentences.append(
            f"Concepts of other levels change by {bracketed(here.value, here.low, here.high)} there and by "
            f"{bracketed(everywhere.value, everywhere.low, everywhere.high)} at all layers "
            f"(null directions: {plain(here.random)} and {plain(everywhere.random)}), {verdict}."
        )
    return sentences


def _wrong_layer_sentences(effects: Effects, rows: Sequence[LayerEffect], groups: Sequence[str]) -> list[str]:
    """Say for each group which level changes most when an edit is made there wrongly (paper, fig. 19)."""
    sentences = []
    for group in groups:
        most: dict[str, str] = {}
        for row in (row for row in rows if row.set_name == group and not row.is_right):
            significant = {
                level: side_effect.value for level, side_effect in row.levels.items() if side_effect.beyond
            }
            most[row.name] = (
                max(significant, key=lambda level: significant[level])
                if significant
                else "no level beyond null directions"
            )
        if most:
            listed = "; ".join(
                f"{level} along {', '.join(name for name, largest in most.items() if largest == level)}"
                for level in dict.fromkeys(most.values())
            )
            sentences.append(
                f"At {in_words(group, effects)}, which are wrong for these boundaries, "
                f"the level that changes most is: {listed}."
            )
    return sentences


def layers(source: LabelledRun, request: AnalysisRequest) -> AnalysisResult:
    """Compare right and wrong layers in a table, a chart and sheets of edited pictures.

    Raises:
        GanstrataError: the request does not fit the run.
    """
    source.run.require("edit")
    comparison = compare(source.effects, request)
    table = [["concept", "layers", "", "own concept", *(f"{level} (random)" for level in comparison.levels)]]
    side_effect_rows: list[list[Any]] = [
        [
            "boundary",
            "boundary_level",
            "layers",
            "right",
            "of",
            "value",
            "low",
            "high",
            "random",
            "concepts",
            "beyond_random",
        ]
    ]
    for row in comparison.rows:
        cells = [
            f"{bracketed(side_effect.value, side_effect.low, side_effect.high)} ({plain(side_effect.random)})"
            if (side_effect := row.levels.get(level))
            else "–"
            for level in comparison.levels
        ]
        table.append(
            [row.name, row.set_name, "right" if row.is_right else "", bracketed(*row.target), *cells]
        )
        head = [row.name, row.level, row.set_name, row.is_right]
        side_effect_rows.append([*head, "own concept", *row.target, float("nan"), 1, ""])
        for of, side_effect in [*row.levels.items(), ("all other levels", row.elsewhere)]:
            side_effect_rows.append(
                [
                    *head,
                    of,
                    side_effect.value,
                    side_effect.low,
                    side_effect.high,
                    side_effect.random,
                    side_effect.concepts,
                    side_effect.beyond,
                ]
            )
    pictures = {
        f"{stem}.png": png(picture) for stem, picture in sheets(source.run, comparison, enlarge=True).items()
    }
    tables = {"sides": side_effect_rows, "concepts": comparison.pairs}
    return AnalysisResult(
        "layers", table, comparison.sentences, [comparison.figure], tables, request_record(request), pictures
    )


def sheets(run: Run, comparison: LayerComparison, *, enlarge: bool) -> dict[str, Pixels]:
    """Draw a sheet per boundary: the same samples unedited, and edited at each layer set that has a strip.

    Returns:
        The sheets by the stem of their file names.
    """
    pictures = {}
    for name in dict.fromkeys(row.name for row in comparison.rows):
        stem, sheet = sheet_of(
            run,
            name,
            [(row.set_name, row.is_right) for row in comparison.rows if row.name == name],
            enlarge=enlarge,
        )
        if sheet is not None:
            pictures[stem] = sheet
    return pictures


def read_layers(run: Run, effects: Effects) -> LayerComparison | None:
    """Recompute the stored comparison of a run for its report.

    Returns:
        None if `ganstrata analysis layers` was never run; a comparison with a `fault` if the stored request
        is damaged or no longer fits the run.
    """
    file = run.path / FOLDER / INDEX
    if not file.is_file():
        return None
    try:
        stored = read_index(file)["asked"]
        request = AnalysisRequest(
            tuple(stored["concepts"]), tuple(stored["levels"]), stored["top"], stored["layers"]
        )
        comparison = compare(effects, request)
        return replace(comparison, pictures=sheets(run, comparison, enlarge=False))
    except (OSError, ValueError, LookupError, TypeError, GanstrataError) as error:
        reason = (
            str(error)
            if isinstance(error, GanstrataError)
            else f"{FOLDER}/{INDEX} is damaged ({type(error).__name__})"
        )
        return LayerComparison(
            [], {}, [], [], fault=f"The stored comparison of layers no longer fits this run: {reason}."
        )
