"""Show the effects of directions on other concepts as a table, CSV files, figures and sentences (fig. 8)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..figures import matrices as figures
from ..figures.figure import Figure
from ..messages import listed
from ..rescoring.null_comparison import NO_NULL
from ..rescoring.results import Effects
from ..storage.csv_tables import Table
from .entanglement import (
    MIN_CONCEPTS,
    Entanglement,
    Explained,
    PairEffect,
    cosines,
    entangle,
    q_values,
)
from .labelled_runs import LabelledRun
from .request import AnalysisRequest, request_record
from .result import AnalysisResult
from .wording import bracketed, constant_sentences, in_words, plain

PRINTED = 12  # pairs in the printed table


def entanglement(source: LabelledRun, request: AnalysisRequest) -> AnalysisResult:
    """Compute the effects of all directions on all concepts at a layer set, and what cosines explain of them.

    Raises:
        GanstrataError: the request does not fit the run.
    """
    effects, result = source.effects, entangle(source, request)
    drawn = [matrix_figure(effects, [*result.rows, *result.conditional], result.at)]
    if len(result.rows) > 1:
        drawn.append(cosine_figure(effects, result.rows))
    order = "clustered" if request.cluster else "by strength"
    return AnalysisResult(
        "entanglement",
        printed(result),
        sentences_of(result, effects),
        drawn,
        {
            "pairs": Table(PairEffect._fields, result.pairs),
            "explained": Table(Explained._fields, [result.explained]),
        },
        request_record(request, layers=result.set_name, order=order),
    )


def printed(result: Entanglement) -> Table:
    """Return the printed table: the largest effects on other concepts."""
    rows = [
        [pair.boundary, pair.concept, bracketed(pair.mean_in_sd, pair.low, pair.high), plain(pair.q_value, 3)]
        for pair in result.beyond[:PRINTED]
    ]
    return Table(["direction", "changes", "by sd", "q"], rows)


def matrix_figure(effects: Effects, order: Sequence[int], at: int) -> Figure:
    """Draw the effect of each boundary (row) on each concept (column) as a heat map.

    Conditional directions are the last rows. The columns are the concepts or targets of the others.
    """
    rows = [
        *[i for i in order if not effects.boundaries[i].given],
        *[i for i in order if effects.boundaries[i].given],
    ]
    # Several directions found without labels may have one target.
    own = dict.fromkeys(int(effects.own[i]) for i in rows if not effects.boundaries[i].given)
    columns = list(own) or sorted({int(effects.own[i]) for i in rows})
    values = effects.in_sd[rows, at, 0][:, columns]
    marks = q_values(effects, at)[rows][:, columns] < effects.rate
    names, concepts = (
        [effects.boundaries[i].name for i in rows],
        [effects.concepts[j].id for j in columns],
    )
    description = "The effect of each direction on every concept, in standard deviations." + (
        " Bold: beyond null directions." if effects.has_null else ""
    )
    return figures.heat(
        "entanglement", names, concepts, values, marks, description=description, entry="mean_in_sd"
    )


def cosine_figure(effects: Effects, order: Sequence[int]) -> Figure:
    """Draw the cosines between the normals of the boundaries as a heat map."""
    values = cosines(effects, order)
    np.fill_diagonal(values, np.nan)
    names = [effects.boundaries[i].name for i in order]
    description = "Cosines between the normals of the boundaries."
    return figures.heat(
        "cosines",
        names,
        names,
        values,
        np.zeros_like(values, dtype=bool),
        description=description,
        entry="cosine",
    )


def sentences_of(result: Entanglement, effects: Effects) -> list[str]:
    """Say how many effects go beyond null directions, and how much of them cosines explain."""
    count = len(result.beyond)
    return [
        f"Moved at {in_words(result.set_name, effects)}: "
        + (
            f"{count} of {result.tested} effects on other concepts go beyond null directions at a false "
            f"discovery rate of {effects.rate:g}"
            if effects.has_null
            else NO_NULL
        )
        + (f"; the {PRINTED} largest are printed." if count > PRINTED else "."),
        *_unmoved(result.unmoved),
        *_explained(result.explained, effects),
        *constant_sentences(effects),
    ]


def _unmoved(names: Sequence[str]) -> list[str]:
    """Name the directions that have none of these layers among their own."""
    return (
        [f"Not moved there, because they have other layers of their own: {listed(names)}."] if names else []
    )


def _explained(share: Explained, effects: Effects) -> list[str]:
    """Say what share of the side effects the cosines explain, and whether that is more than half."""
    concepts, value, low, high = share
    if np.isnan(value):
        if concepts == 0 and any(boundary.direction for boundary in effects.boundaries):
            return []  # directions found without labels are no concept's own
        many = "" if concepts == 1 else "s"
        return [
            f"With {concepts} concept{many}, the share that cosines explain is not computed; "
            f"it needs {MIN_CONCEPTS}."
        ]
    if low > 0.5:
        verdict = "so the angle between normals explains most of it"
    elif high < 0.5:
        verdict = "so the angle between normals does not explain most of it"
    else:
        verdict = "so it is open whether the angle between normals explains most of it"
    return [
        f"Cosines between normals account for {bracketed(value, low, high)} of the squared effects "
        f"on other concepts with a boundary, {verdict}."
    ]
