"""What an edit does at its right layers and at wrong ones: to its own concept, and to those of every level (paper, figs. 18 and 19)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..editing.strips import sheet_of
from ..errors import GanstrataError, UserError
from ..figures.figure import Figure
from ..figures.layer_effects import layer_effects
from ..figures.pictures import Pixels, png
from ..plugins.records import LEVELS
from ..rescoring.hierarchy import Hierarchy
from ..rescoring.results import Effects
from ..runs.run import Run
from ..statistics import benjamini_hochberg
from ..storage.result_folder import read_index
from .base import (
    AnalysisRequest,
    Answer,
    LabelledRun,
    asked_of,
    bracketed,
    in_words,
    plain,
    select_boundaries,
    select_layer_set,
    unmeasured,
)
from .side_effects import SideEffect, side_effect

FOLDER, INDEX = "analysis/layers", "layers.json"


@dataclass(frozen=True)
class Moved:
    """One boundary at one layer set: what becomes of its own concept, and of others by level."""

    name: str
    level: str
    set_name: str
    layers: tuple[int, ...]
    is_right: bool
    target: tuple[float, float, float]
    levels: Mapping[str, SideEffect]
    elsewhere: SideEffect  # over all other levels


@dataclass(frozen=True)
class Layers:
    """What the chapter and the command show.

    Attributes:
        rows: by boundary, the right layers first.
        peak_share: of each boundary whose right layers are the peak of its level, how often resamplings put the peak there.
        sentences: what the numbers say.
        pairs: the numbers of every single concept, the first row naming the columns.
        pictures: a labelled sheet per boundary.
        fault: why nothing is shown.
    """

    rows: list[Moved]
    peak_share: dict[str, float]
    sentences: list[str]
    pairs: list[list[Any]]
    pictures: dict[str, Pixels] = field(default_factory=dict)
    fault: str = ""

    @property
    def levels(self) -> list[str]:
        """Levels of which a concept was scored and varies."""
        return [level for level in LEVELS if any(level in row.levels for row in self.rows)]

    @property
    def figure(self) -> Figure:
        """Own concept and levels by layer set."""
        return layer_effects(self.rows, self.levels)


def right_layers(rescored: Effects, hierarchy: Hierarchy | None) -> dict[str, tuple[str, float]]:
    """Of each level, the group where its effect peaks, and how often resamplings put it there."""
    found = {}
    for m, level in enumerate(hierarchy.levels if hierarchy is not None else ()):
        assert hierarchy is not None
        shares = hierarchy.groups.value[m]
        if len(shares) and not np.isnan(shares).any():
            best = int(shares.argmax())
            found[level] = (hierarchy.group_names[best], float(hierarchy.peak[m, best]))
    return found


def default_rows(rescored: Effects, meant: Sequence[int], top: int) -> list[int]:
    """The strongest variation factors of each level, levels in their order."""
    kept: list[int] = []
    for level in LEVELS:
        kept += [i for i in meant if rescored.factors[i] and rescored.boundaries[i].level == level][:top]
    return kept


def compare(run: Run, rescored: Effects, ask: AnalysisRequest) -> Layers:
    """The right layers of some boundaries against all other groups, and against all layers.

    Raises:
        GanstrataError: what was asked for does not fit the run.
    """
    names = list(rescored.sets)
    groups = [name for name in rescored.groups if name in names]
    if len(rescored.sets["all"]) == 1:
        raise UserError("this generator has one layer, so there are no right and wrong layers")
    if len(groups) < 2:
        raise UserError(
            "layer groups were not re-scored; make a run with rescoring.layers: [all, each, groups]"
        )
    meant = select_boundaries(rescored, ask)
    rows = default_rows(rescored, meant, ask.top or 1) if not ask.concepts else meant[: ask.top]
    if not rows:
        raise UserError(
            "none of the concepts asked for is a variation factor; name concepts to see them all the same"
        )
    peaks = right_layers(rescored, rescored.hierarchy())
    own = None if ask.layers is None else select_layer_set(rescored, ask.layers)[0]
    lost = sorted({rescored.boundaries[i].level for i in rows} - peaks.keys()) if own is None else []
    if lost:
        raise UserError(
            f"where {' and '.join(lost)} peaks is not known from single layers; say with --layers which layers are the right ones"
        )
    beyond, pairs = _significant(
        rescored, rows, [names.index(g) for g in dict.fromkeys([*groups, *([own] if own else []), "all"])]
    )
    found: list[Moved] = []
    peak_share: dict[str, float] = {}
    for i in rows:
        boundary = rescored.boundaries[i]
        right = own or peaks[boundary.level][0]
        if own is None:
            peak_share[boundary.name] = peaks[boundary.level][1]
        found += [
            moved(rescored, i, names.index(name), beyond, is_right=name == right)
            for name in dict.fromkeys([right, *groups, "all"])
        ]
    sentences = [
        s
        for i in rows
        for s in _said(rescored, [r for r in found if r.name == rescored.boundaries[i].name], peak_share)
    ]
    return Layers(
        found, peak_share, sentences + _wrong(rescored, found, groups) + unmeasured(rescored), pairs
    )


def moved(rescored: Effects, i: int, at: int, beyond: NDArray[np.bool_], *, is_right: bool) -> Moved:
    """One boundary at one layer set."""
    boundary, effects, own = rescored.boundaries[i], rescored, int(rescored.own[i])
    unit = float(rescored.units[own])
    target = tuple(float(array[i, at, 0, own]) / unit for array in (effects.mean, effects.low, effects.high))
    others = {
        level: [
            (i, j)
            for j, c in enumerate(rescored.concepts)
            if c["level"] == level and c["varies"] and j != own and c["id"] != boundary.concept
        ]
        for level in LEVELS
    }
    name = list(rescored.sets)[at]
    return Moved(
        name=boundary.name,
        level=boundary.level,
        set_name=name,
        layers=rescored.sets[name],
        is_right=is_right,
        target=(target[0], target[1], target[2]),
        levels={level: side_effect(rescored, pairs, at, beyond) for level, pairs in others.items() if pairs},
        elsewhere=side_effect(
            rescored,
            [pair for level, pairs in others.items() if level != boundary.level for pair in pairs],
            at,
            beyond,
        )
        if any(pairs for level, pairs in others.items() if level != boundary.level)
        else SideEffect(np.nan, np.nan, np.nan, np.nan, 0, 0),
    )


def _significant(
    rescored: Effects, rows: Sequence[int], sets: Sequence[int]
) -> tuple[NDArray[np.bool_], list[list[Any]]]:
    """Which effects on other concepts go beyond chance, (B, S, C), corrected over all that are looked at; and all numbers as a table."""
    effects, names, units = rescored, list(rescored.sets), rescored.units.tolist()
    places = [
        (i, s, j) for i in rows for s in sets for j in range(len(rescored.concepts)) if j != rescored.own[i]
    ]
    index = tuple(np.array([place[k] for place in places], dtype=np.int64) for k in range(3))
    q = benjamini_hochberg(effects.p[index[0], index[1], 0, index[2]])
    full = np.full((len(rescored.own), len(names), len(rescored.concepts)), np.nan)
    full[index] = q
    table: list[list[Any]] = [
        [
            "boundary",
            "boundary_level",
            "layers",
            "concept",
            "concept_level",
            "own",
            "mean_in_sd",
            "low",
            "high",
            "q_value",
        ]
    ]
    for i in rows:
        for s in sets:
            for j, concept in enumerate(rescored.concepts):
                numbers = (
                    float(array[i, s, 0, j]) / units[j] for array in (effects.mean, effects.low, effects.high)
                )
                is_own = bool(j == rescored.own[i])
                corrected = float(effects.q[i, s, 0, j]) if is_own else float(full[i, s, j])
                head = [
                    rescored.boundaries[i].name,
                    rescored.boundaries[i].level,
                    names[s],
                    concept["id"],
                    concept["level"],
                    is_own,
                ]
                table.append([*head, *numbers, corrected])
    return np.nan_to_num(full, nan=1.0) < rescored.rate, table


def _said(rescored: Effects, rows: Sequence[Moved], peak_share: Mapping[str, float]) -> list[str]:
    """One boundary: its own concept, then what else moves at the right layers and at all."""
    right, whole = (
        next((r for r in rows if r.is_right), rows[0]),
        next(r for r in rows if r.set_name == "all"),
    )
    why = (
        f", where {right.level} peaks in {100 * peak_share[right.name]:.0f} % of resamplings"
        if right.name in peak_share
        else ""
    )
    wrong = [
        f"{bracketed(*r.target)} at {in_words(r.set_name, rescored)}"
        for r in rows
        if r is not right and r is not whole
    ]
    first = f"{right.name} rises by {bracketed(*right.target)} standard deviations at {in_words(right.set_name, rescored)}{why}"
    if right is not whole:
        wrong.append(f"{bracketed(*whole.target)} at all layers")
    here, everywhere = right.elsewhere, whole.elsewhere
    said = [f"{first}; by {', '.join(wrong)}."]
    best = max(
        (r for r in rows if r is not whole), key=lambda r: -np.inf if np.isnan(r.target[0]) else r.target[0]
    )
    if best is not right and best.target[1] > right.target[2]:
        said.append(
            f"By itself {right.name} rises most at {in_words(best.set_name, rescored)}: --layers {best.set_name} may be the better place."
        )
    if right is not whole and not np.isnan(here.value):
        verdict = (
            "so other levels are left alone better there"
            if here.high < everywhere.low
            else "so other levels are not left alone there"
            if here.low > everywhere.high
            else "which is not told apart"
        )
        said.append(
            f"Concepts of other levels move by {bracketed(here.value, here.low, here.high)} there and by "
            f"{bracketed(everywhere.value, everywhere.low, everywhere.high)} at all layers (null directions: {plain(here.random)} and "
            f"{plain(everywhere.random)}), {verdict}."
        )
    return said


def _wrong(rescored: Effects, rows: Sequence[Moved], groups: Sequence[str]) -> list[str]:
    """Of each group: what moves most when it is the wrong place (paper, fig. 19)."""
    said = []
    for group in groups:
        most: dict[str, str] = {}
        for row in (row for row in rows if row.set_name == group and not row.is_right):
            moving = {level: a.value for level, a in row.levels.items() if a.beyond}
            most[row.name] = (
                max(moving, key=lambda level: moving[level]) if moving else "no level beyond null directions"
            )
        listed = "; ".join(
            f"{kind} along {', '.join(n for n, k in most.items() if k == kind)}"
            for kind in dict.fromkeys(most.values())
        )
        if most:
            said.append(
                f"At {in_words(group, rescored)}, which are wrong for these, other concepts that move most are of level: {listed}."
            )
    return said


def layers(source: LabelledRun, ask: AnalysisRequest) -> Answer:
    """Right and wrong layers, as a table, a figure and picture strips.

    Raises:
        GanstrataError: what was asked for does not fit the run.
    """
    source.run.require("edit")
    found = compare(source.run, source.rescored, ask)
    table = [["concept", "layers", "", "own concept", *(f"{level} (random)" for level in found.levels)]]
    sides: list[list[Any]] = [
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
    for row in found.rows:
        cells = [
            f"{bracketed(a.value, a.low, a.high)} ({plain(a.random)})"
            if (a := row.levels.get(level))
            else "–"
            for level in found.levels
        ]
        table.append(
            [row.name, row.set_name, "right" if row.is_right else "", bracketed(*row.target), *cells]
        )
        head = [row.name, row.level, row.set_name, row.is_right]
        sides.append([*head, "own concept", *row.target, float("nan"), 1, ""])
        for of, a in [*row.levels.items(), ("all other levels", row.elsewhere)]:
            sides.append([*head, of, a.value, a.low, a.high, a.random, a.concepts, a.beyond])
    pictures = {
        f"{stem}.png": png(picture) for stem, picture in sheets(source.run, found, enlarge=True).items()
    }
    tables = {"sides": sides, "concepts": found.pairs}
    return Answer("layers", table, found.sentences, [found.figure], tables, asked_of(ask), pictures)


def sheets(run: Run, found: Layers, *, enlarge: bool) -> dict[str, Pixels]:
    """Of each boundary, by the stem of its files: the same samples unedited, and moved at each layer set that has a strip."""
    made = {}
    for name in dict.fromkeys(row.name for row in found.rows):
        stem, sheet = sheet_of(
            run,
            name,
            [(row.set_name, row.is_right) for row in found.rows if row.name == name],
            enlarge=enlarge,
        )
        if sheet is not None:
            made[stem] = sheet
    return made


def read_layers(run: Run, rescored: Effects) -> Layers | None:
    """The chapter of a run, computed from the run as it is now; None where `ganstrata analysis layers` was never asked."""
    file = run.path / FOLDER / INDEX
    if not file.is_file():
        return None
    try:
        asked = read_index(file)["asked"]
        ask = AnalysisRequest(tuple(asked["concepts"]), tuple(asked["levels"]), asked["top"], asked["layers"])
        found = compare(run, rescored, ask)
        return replace(found, pictures=sheets(run, found, enlarge=False))
    except (OSError, ValueError, LookupError, TypeError, GanstrataError) as error:
        words = (
            str(error)
            if isinstance(error, GanstrataError)
            else f"{FOLDER}/{INDEX} is damaged ({type(error).__name__})"
        )
        return Layers([], {}, [], [], fault=f"What was asked of the layers no longer fits this run: {words}.")
