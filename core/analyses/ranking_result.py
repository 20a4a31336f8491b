"""Show a ranking of concepts as a table, CSV files, a figure and sentences."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..figures import rankings as figures
from ..figures.figure import Figure
from ..figures.rankings import NOT_MOVED, NOT_TESTED, RankedConcept
from ..messages import quantity
from ..rescoring.found import found_directions
from ..rescoring.null_comparison import NO_NULL
from ..storage.csv_tables import Table
from .labelled_runs import LabelledRun, check_comparable
from .ranking import Agreement, Ranking, rank_concepts
from .request import AnalysisRequest, request_record
from .result import AnalysisResult
from .sentences import null_gaps, summary_of_names
from .wording import bracketed, in_words, plain, point_sentences


def ranking(sources: Sequence[LabelledRun], request: AnalysisRequest) -> AnalysisResult:
    """Rank the concepts of one run, or of several comparable runs in one figure.

    Raises:
        GanstrataError: the request does not fit a run, or the runs are not comparable.
    """
    left_out = check_comparable(sources)
    result = rank_concepts(sources, request)
    set_name = result.runs[0].set_name
    where = in_words(set_name, sources[0].effects)
    sentences = [
        f"Moved at {where}; square brackets are 95 % intervals, "
        "in standard deviations of each concept among a run's own samples.",
        *(_factors(run.label, run.concepts[: result.top]) for run in result.runs),
        *(
            f"{source.label}: {summary_of_names(source.effects, found)}"
            for source in sources
            if (found := found_directions(source.effects))
        ),
        *left_out,
        *(
            f"{run.label}: {sentence}"
            for source, run in zip(sources, result.runs, strict=True)
            for sentence in point_sentences(
                source.effects, [(row.name, run.set_name) for row in run.concepts[: result.top]]
            )
        ),
        *(
            f"{run.label}: {sentence}"
            for run in result.runs
            for sentence in null_gaps(run.null_gaps, run.null_directions)
        ),
        *(_agreement(pair) for pair in result.agreements if pair.shown),
    ]
    tables = {"places": places_table(result)}
    if len(result.runs) > 1:
        tables["agreement"] = Table(Agreement._fields, result.agreements)
    record = request_record(request, layers=set_name, top=result.top)
    return AnalysisResult("ranking", printed(result), sentences, [figure_of(result)], tables, record)


def printed(result: Ranking) -> Table:
    """Return the printed table: the concepts to show, with the interval of their places."""
    several = len(result.runs) > 1
    found = any(row.target for run in result.runs for row in run.concepts[: result.top])
    of_directions = ["target", "meaning"] if found else []
    first = "direction" if found else "concept"
    columns = ["place", first, *of_directions, "level", "change in sd", "q", "factor", "places in 95 %"]
    rows = []
    for run in result.runs:
        spans = zip(run.concepts[: result.top], run.place_low, run.place_high, strict=False)
        for place, (row, low, high) in enumerate(spans, start=1):
            cells = [
                str(place),
                row.name,
                *([row.target, run.meanings.get(row.name, "")] if found else []),
                row.level,
                bracketed(row.value, row.low, row.high) if row.is_moved else NOT_MOVED,
                plain(row.q, 3),
                "yes" if row.is_factor else "no" if row.is_tested else NOT_TESTED,
                f"{low:.0f} to {high:.0f}" if row.is_moved else "",
            ]
            rows.append([run.label, *cells] if several else cells)
    return Table(["run", *columns] if several else columns, rows)


def places_table(result: Ranking) -> Table:
    """Return places.csv: every concept with its numbers and the interval of its place."""
    return Table(
        (
            *("run", "place", "concept", "level"),
            *figures.NUMBERS,
            *("place_low", "place_high", "target", "meaning"),
        ),
        [
            (
                *(run.label, place, row.name, row.level, *row.numbers, low, high),
                *(row.target, run.meanings.get(row.name, "")),
            )
            for run in result.runs
            for place, (row, low, high) in enumerate(
                zip(run.concepts, run.place_low, run.place_high, strict=True), start=1
            )
        ],
    )


def figure_of(result: Ranking) -> Figure:
    """Draw the concepts of one run, or those of several side by side."""
    panels = [(run.label, list(run.concepts[: result.top])) for run in result.runs]
    return figures.rankings(panels) if len(panels) > 1 else figures.ranking(panels[0][1])


def _factors(label: str, rows: Sequence[RankedConcept]) -> str:
    """Say how many of the shown concepts are variation factors, or why that is not known."""
    if not all(row.is_tested for row in rows):
        return f"{label}: {NO_NULL}."
    names = [row.name for row in rows if row.is_factor]
    verb = "is a variation factor" if len(names) == 1 else "are variation factors"
    strongest = f"; the strongest is {names[0]}." if names else "."
    return f"{label}: {len(names)} of the {len(rows)} shown {verb}{strongest}"


def _agreement(pair: Agreement) -> str:
    """Say how many of the shown concepts are the same, and how the ranks of all common concepts correlate."""
    verdict = (
        f"rank correlation over {quantity(pair.concepts, 'concept')} "
        f"{bracketed(pair.rank_correlation, pair.low, pair.high)}"
        if not np.isnan(pair.rank_correlation)
        else "too few for a rank correlation"
    )
    return (
        f"{pair.run} and {pair.other_run}: {pair.shown_in_both} of {pair.shown} shown concepts are the same; "
        f"{verdict}."
    )
