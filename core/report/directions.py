"""Compute what the report shows of directions that were found without labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from ..analyses.sentences import summary_of_names
from ..editing.stage import strip_name
from ..editing.strips import GAP, StripIndex, split_strip
from ..figures.effect_rows import EffectBar, effect_rows
from ..figures.pages import data_uri
from ..figures.pictures import read_stored, reduced, tile
from ..figures.rankings import NOT_MOVED
from ..rescoring.found import FoundDirection, found_directions
from ..rescoring.naming import NamingTests, naming_tests
from ..rescoring.results import Effects
from ..rescoring.sums import null_means
from ..rescoring.tables import in_sd_with_interval, ranked
from ..runs.run import Run
from ..statistics import null_moments
from ..storage.csv_tables import Table
from ..strata.layers import show_layers

SHOWN = 24  # directions with pictures and charts; the table has all
CONCEPTS = 12  # concepts in the chart of a direction
LISTED = 60  # concepts in its table
SETS = 24  # layer sets in its chart; with more, single layers are left out
STRIPS = 2  # samples in its strip
FRAME = 96  # pixels of the longer side of a picture in a strip


@dataclass(frozen=True)
class ConceptEffectRow:
    """Hold what a direction does to one concept: sd units, 95 % interval, q, null mean -+ 2 sd."""

    concept: str
    level: str
    value: float
    low: float
    high: float
    q: float
    is_beyond: bool
    is_target: bool
    null_low: float
    null_high: float


@dataclass(frozen=True)
class DirectionView:
    """Hold the card of a direction.

    Attributes:
        about: its row of the table.
        strip: pictures along it, as a data URI; rows are samples, columns are steps.
        file: its strip in the run.
        concepts: its effects on concepts, beyond chance first, then strongest; at most LISTED.
        left_out: number of further concepts.
        most_left_out: largest absolute effect on these, in sd units.
        chart: effects on the first CONCEPTS of them.
        acts_on: the concept whose effects by layer set are drawn: the first of its name, or else its target.
        layer_chart: these effects.
        null: mean -+ 2 sd of what null directions do to the target, in sd units, and p of the direction.
    """

    about: FoundDirection
    strip: str
    file: str
    concepts: tuple[ConceptEffectRow, ...]
    left_out: int
    most_left_out: float
    chart: Markup
    acts_on: str
    layer_chart: Markup
    null: tuple[float, float, float]


@dataclass(frozen=True)
class Directions:
    """Hold the chapter on directions found without labels.

    Attributes:
        summary: how many are named, and how many null directions would be.
        rows: all directions: named ones first, then by the size of the effect that names them.
        tables: CSV files by name.
        tests: the tests that name them.
    """

    summary: str
    rows: tuple[FoundDirection, ...]
    tables: dict[str, Table]
    tests: NamingTests


def directions_of(effects: Effects) -> Directions | None:
    """Gather the directions found without labels; None if there are none."""
    rows, tests = found_directions(effects), naming_tests(effects)
    if not rows:
        return None
    return Directions(
        summary_of_names(effects, rows),
        rows,
        {"direction_effects": _effects_table(effects, tests)},
        tests,
    )


def direction_views(run: Run, effects: Effects, found: Directions, index: StripIndex) -> list[DirectionView]:
    """Show the first SHOWN directions with their strips and charts."""
    views = []
    for about in found.rows[:SHOWN]:
        concepts = _concept_rows(effects, found.tests, about.row)
        rest = concepts[LISTED:]
        acts_on = about.moves[0].concept if about.moves else about.target
        ranked_row = ranked(effects, about.row, effects.all_set)
        p = float(effects.p[about.row, effects.all_set, 0, effects.own[about.row]])
        views.append(
            DirectionView(
                about=about,
                strip=_strip(run, about.name, index),
                file=strip_name(about.name, "all"),
                concepts=tuple(concepts[:LISTED]),
                left_out=len(rest),
                most_left_out=max((abs(row.value) for row in rest if np.isfinite(row.value)), default=0.0),
                chart=Markup(
                    effect_rows([_bar(row) for row in concepts[:CONCEPTS]], f"Effects of {about.name}")
                ),
                acts_on=acts_on,
                layer_chart=Markup(
                    effect_rows(
                        _layer_bars(effects, about.row, acts_on),
                        f"Effects of {about.name} on {acts_on} by layers",
                    )
                ),
                null=(ranked_row.null_low, ranked_row.null_high, p),
            )
        )
    return views


def _concept_rows(effects: Effects, tests: NamingTests, i: int) -> list[ConceptEffectRow]:
    """Return the effects of direction i on all concepts that vary, beyond chance first, then strongest."""
    rows = []
    for q, j in zip(tests.q[tests.rows.index(i)].tolist(), tests.columns, strict=True):
        concept, unit = effects.concepts[j], float(effects.units[j])
        value, low, high = in_sd_with_interval(effects, i, effects.all_set, j)
        centre, spread = (float(x[effects.kind[i], j]) / unit for x in (effects.null_mean, effects.null_sd))
        rows.append(
            ConceptEffectRow(
                concept.id,
                concept.level,
                value,
                low,
                high,
                q,
                q < effects.rate,
                bool(j == effects.own[i]),
                centre - 2.0 * spread,
                centre + 2.0 * spread,
            )
        )
    return sorted(rows, key=lambda row: (not row.is_beyond, np.isnan(row.value), -abs(row.value)))


def _bar(row: ConceptEffectRow) -> EffectBar:
    return EffectBar(
        row.concept, row.level, row.value, row.low, row.high, row.null_low, row.null_high, row.is_beyond
    )


def _layer_bars(effects: Effects, i: int, concept: str) -> list[EffectBar]:
    """Return the effects of direction i on a concept at each layer set, with the null directions there.

    An effect is marked if it lies outside the null's mean -+ 2 sd and its interval does not contain 0.
    """
    j = [c.id for c in effects.concepts].index(concept)
    level, unit = effects.concepts[j].level, float(effects.units[j])
    names = list(effects.sets)
    shown = names if len(names) <= SETS else [n for n in names if n == "all" or n in effects.groups]
    bars = []
    for name in shown:
        s = names.index(name)
        value, low, high = in_sd_with_interval(effects, i, s, j)
        _, centre, spread = (float(x) / unit for x in null_moments(null_means(effects.null_of(i)[:, s, j])))
        outside = abs(value - centre) > 2.0 * spread and (low > 0.0 or high < 0.0)
        bars.append(
            EffectBar(
                "all layers" if name == "all" else _with_layers(effects, name),
                level,
                value,
                low,
                high,
                centre - 2.0 * spread,
                centre + 2.0 * spread,
                bool(outside),
                "" if effects.reached[i, s] else NOT_MOVED,
            )
        )
    return bars


def _with_layers(effects: Effects, name: str) -> str:
    """Name a layer set, a group with its layers."""
    layers = show_layers(effects.sets[name])
    return f"{name} {layers}" if name != layers else f"layer {name}" if len(effects.sets[name]) == 1 else name


def _strip(run: Run, name: str, index: StripIndex) -> str:
    """Return the pictures along a direction at all its layers, reduced to FRAME pixels, as a data URI."""
    stored = read_stored((run.path / strip_name(name, "all")).read_bytes())
    frames = split_strip(stored, len(index.amounts), run.config.editing.samples)[:STRIPS]
    return data_uri(tile(reduced(frames, FRAME), gap=GAP), run.record.generator.background)


def _effects_table(effects: Effects, tests: NamingTests) -> Table:
    """Return direction_effects.csv: the effect of every direction on every concept that varies."""
    return Table(
        ("direction", "concept", "level", "mean_in_sd", "low", "high", "q_value", "beyond_chance", "target"),
        [
            (
                effects.boundaries[i].name,
                row.concept,
                row.level,
                row.value,
                row.low,
                row.high,
                row.q,
                row.is_beyond,
                row.is_target,
            )
            for i in tests.rows
            for row in _concept_rows(effects, tests, i)
        ],
    )
