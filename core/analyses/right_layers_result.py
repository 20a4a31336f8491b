"""Show right and wrong layers as a table, CSV files, a figure, sheets of pictures and sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..decimals import percent
from ..editing.strips import sheet_of
from ..errors import GanstrataError
from ..figures.figure import Figure
from ..figures.pictures import Pixels, png
from ..rescoring.results import Effects
from ..runs.run import Run
from ..storage.csv_tables import Table
from ..storage.result_folder import read_index
from ..strata.layers import layers_in_words
from .labelled_runs import LabelledRun
from .layer_effects import ConceptEffect, LayerEffect
from .request import AnalysisRequest, request_record
from .result import AnalysisResult
from .right_layers import LayerComparison, compare
from .right_layers_chart import layer_effects
from .sentences import without_null
from .wording import bracketed, constant_sentences, in_words, plain, point_sentences

FOLDER, INDEX = "analysis/layers", "layers.json"


@dataclass(frozen=True)
class StoredComparison:
    """Hold what the report shows of a comparison of layers that was made before.

    Attributes:
        comparison: None if there is a fault.
        sentences: conclusions, written by rule.
        pictures: a labelled sheet per boundary, by the stem of its file.
        fault: why there is nothing to show, or empty.
    """

    comparison: LayerComparison | None
    sentences: Sequence[str] = ()
    pictures: Mapping[str, Pixels] = field(default_factory=dict)
    fault: str = ""


def layers(source: LabelledRun, request: AnalysisRequest) -> AnalysisResult:
    """Compare right and wrong layers in a table, a chart and sheets of edited pictures.

    Raises:
        GanstrataError: the request does not fit the run.
    """
    source.run.require("edit")
    result = compare(source.effects, request)
    drawn = sheets(source.run, result, enlarge=True)
    return AnalysisResult(
        "layers",
        printed(result),
        sentences_of(result, source.effects),
        [figure_of(result)],
        {"sides": sides_table(result), "concepts": Table(ConceptEffect._fields, result.concepts)},
        request_record(request),
        {f"{stem}.png": png(picture) for stem, picture in drawn.items()},
    )


def printed(result: LayerComparison) -> Table:
    """Return the printed table: the change of the own concept and of each level, by layer set."""
    rows = []
    found = any(row.target_name for row in result.rows)
    for row in result.rows:
        cells = [
            f"{bracketed(side_effect.value, side_effect.low, side_effect.high)} ({plain(side_effect.random)})"
            if (side_effect := row.levels.get(level))
            else "–"
            for level in result.levels
        ]
        rows.append(
            [row.label, row.set_name, "right" if row.is_right else "", bracketed(*row.target), *cells]
        )
    first, own = ("direction", "target") if found else ("concept", "own concept")
    return Table([first, "layers", "", own, *(f"{level} (random)" for level in result.levels)], rows)


def sides_table(result: LayerComparison) -> Table:
    """Return sides.csv: the change of the own concept, and of the others of each level."""
    rows: list[tuple[str | float, ...]] = []
    for row in result.rows:
        head = (row.name, row.level, row.set_name, row.is_right)
        rows.append((*head, "own concept", *row.target, float("nan"), 1, "", row.target_name))
        rows += [
            (
                *head,
                of,
                side_effect.value,
                side_effect.low,
                side_effect.high,
                side_effect.random,
                side_effect.concepts,
                side_effect.beyond,
                row.target_name,
            )
            for of, side_effect in [*row.levels.items(), ("all other levels", row.elsewhere)]
        ]
    columns = ("boundary", "boundary_level", "layers", "right", "of", "value", "low", "high", "random")
    return Table((*columns, "concepts", "beyond_random", "target"), rows)


def figure_of(result: LayerComparison) -> Figure:
    """Draw the change of the own concept and of each level by layer set."""
    return layer_effects(result.rows, result.levels)


def sentences_of(result: LayerComparison, effects: Effects) -> list[str]:
    """Describe each boundary at its right and wrong layers, then what changes most at wrong layers."""
    sentences: list[str] = []
    for name in result.names:
        sentences += _boundary_sentences(effects, result.of(name), result.peak_share)
        sentences += _unmoved(effects, name, result.groups)
    return [
        *sentences,
        *_wrong_layer_sentences(effects, result.rows, result.groups),
        *point_sentences(effects, [(row.name, row.set_name) for row in result.rows]),
        *constant_sentences(effects),
    ]


def _unmoved(effects: Effects, name: str, groups: Sequence[str]) -> list[str]:
    """Say at which groups a direction with layers of its own is not moved."""
    i, sets = effects.boundaries.names.index(name), list(effects.sets)
    missing = [group for group in groups if not effects.reached[i, sets.index(group)]]
    layers = effects.boundaries[i].layers
    if layers is None or not missing:
        return []
    where = f"the {', '.join(missing)} layers"
    return [f"{name} moves {layers_in_words(layers)} alone, so it is not moved at {where}."]


def _boundary_sentences(
    effects: Effects, rows: Sequence[LayerEffect], peak_share: Mapping[str, float]
) -> list[str]:
    """Describe one boundary: the change of its own concept at each layer set, then its side effects."""
    right = next((row for row in rows if row.is_right), rows[0])
    whole = next(row for row in rows if row.set_name == "all")
    peak = (
        f", where {right.level} peaks in {percent(peak_share[right.name], 0)} of resamplings"
        if right.name in peak_share
        else ""
    )
    wrong = [
        f"{bracketed(*row.target)} at {in_words(row.set_name, effects)}"
        for row in rows
        if row is not right and row is not whole
    ]
    if right is not whole:
        wrong.append(f"{bracketed(*whole.target)} at {_all_of(effects, whole)}")
    who = f"{right.target_name} along {right.name}" if right.target_name else right.name
    others = f"; by {', '.join(wrong)}" if wrong else ""
    sentences = [
        f"{who} rises by {bracketed(*right.target)} standard deviations "
        f"at {in_words(right.set_name, effects)}{peak}{others}."
    ]
    best = max(
        (row for row in rows if row is not whole),
        key=lambda row: -np.inf if np.isnan(row.target[0]) else row.target[0],
        default=right,
    )
    if best is not right and best.target[1] > right.target[2]:
        itself = right.target_name or f"{right.name} itself"
        sentences.append(
            f"{itself} rises most at {in_words(best.set_name, effects)}: "
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
        chance = (
            f" (null directions: {plain(here.random)} and {plain(everywhere.random)})"
            if effects.has_null
            else ""
        )
        sentences.append(
            f"Concepts of other levels change by {bracketed(here.value, here.low, here.high)} there and by "
            f"{bracketed(everywhere.value, everywhere.low, everywhere.high)} at {_all_of(effects, whole)}"
            f"{chance}, {verdict}."
        )
    return sentences


def _all_of(effects: Effects, row: LayerEffect) -> str:
    """Name all layers, or all of those that a direction moves."""
    is_free = effects.free[effects.boundaries.names.index(row.name)]
    return "all layers" if is_free else "all of its layers"


NONE_BEYOND = "no level more than null directions do"


def _wrong_layer_sentences(effects: Effects, rows: Sequence[LayerEffect], groups: Sequence[str]) -> list[str]:
    """Say for each group which level changes most when an edit is made there wrongly (paper, fig. 19)."""
    if not effects.has_null:
        return [without_null()]
    sentences = []
    for group in groups:
        most: dict[str, str] = {}
        for row in (row for row in rows if row.set_name == group and not row.is_right):
            significant = {
                level: side_effect.value for level, side_effect in row.levels.items() if side_effect.beyond
            }
            most[row.name] = (
                max(significant, key=lambda level: significant[level]) if significant else NONE_BEYOND
            )
        if most:
            listed = "; ".join(
                f"moving along {', '.join(name for name, largest in most.items() if largest == level)} "
                f"changes {level}{' most' * (level != NONE_BEYOND)}"
                for level in dict.fromkeys(most.values())
            )
            sentences.append(f"At {in_words(group, effects)}, which are not the right ones, {listed}.")
    return sentences


def sheets(run: Run, comparison: LayerComparison, *, enlarge: bool) -> dict[str, Pixels]:
    """Draw a sheet per boundary: the same samples unedited, and edited at each layer set that has a strip.

    Returns:
        The sheets by the stem of their file names.
    """
    pictures = {}
    for name in comparison.names:
        shown = [(row.set_name, row.is_right) for row in comparison.of(name)]
        stem, sheet = sheet_of(run, name, shown, enlarge=enlarge)
        if sheet is not None:
            pictures[stem] = sheet
    return pictures


def read_layers(run: Run, effects: Effects) -> StoredComparison | None:
    """Recompute the stored comparison of a run for its report.

    Returns:
        None if `ganstrata analysis layers` was never run; with a `fault` if the stored request is damaged or
        no longer fits the run.
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
        return StoredComparison(
            comparison, sentences_of(comparison, effects), sheets(run, comparison, enlarge=False)
        )
    except (OSError, ValueError, LookupError, TypeError, GanstrataError) as error:
        reason = (
            str(error)
            if isinstance(error, GanstrataError)
            else f"{FOLDER}/{INDEX} is damaged ({type(error).__name__})"
        )
        return StoredComparison(
            None, fault=f"The stored comparison of layers no longer fits this run: {reason}."
        )
