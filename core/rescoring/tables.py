"""Turn effects into tables: the rows of rescoring.csv, and a summary for notebooks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..figures.notebook import html_table
from ..figures.rankings import RankedConcept
from ..statistics import null_moments
from .sums import SIGNS, null_means

if TYPE_CHECKING:
    from .results import Effects

COLUMNS = (
    "boundary", "boundary_level", "layers", "concept", "concept_level", "samples", "clipped_mean", "mean",
    "standard_error", "low", "high", "mean_in_sd", "p_value", "q_value", "step", "undefined",
    "made_undefined", "rank_p", "null_directions", "low_total", "high_total",
)  # fmt: skip


def rows_of(effects: Effects) -> list[dict[str, Any]]:
    """Return a row per boundary, layer set, sign and concept, under COLUMNS; none for steps not taken."""
    rows: list[dict[str, Any]] = []
    moved = effects.moved
    for i, boundary in enumerate(effects.boundaries):
        for s, name in enumerate(effects.sets):
            for k, sign in enumerate(SIGNS):
                if not moved[i, s, k]:
                    continue
                for j, concept in enumerate(effects.concepts):
                    at = (i, s, k, j)
                    values = (
                        effects.clipped,
                        effects.mean,
                        effects.error,
                        effects.low,
                        effects.high,
                        effects.in_sd,
                        effects.p,
                        effects.q,
                    )
                    row = (
                        boundary.name,
                        boundary.level,
                        name,
                        concept["id"],
                        concept["level"],
                        int(effects.count[at]),
                        *(float(array[at]) for array in values),
                        float(sign * effects.step),
                        int(effects.undefined[at]),
                        int(effects.made_undefined[at]),
                        float(effects.rank[at]),
                        float(effects.null_count[at]),
                        float(effects.low_total[at]),
                        float(effects.high_total[at]),
                    )
                    rows.append(dict(zip(COLUMNS, row, strict=True)))
    return rows


def ranked(effects: Effects, i: int, at: int) -> RankedConcept:
    """Return the effect of one boundary on its own concept at a layer set, in sd units.

    The null distribution is shown as mean -+ 2 sd of the effects of the null directions.

    Args:
        effects: effects of all boundaries.
        i: position of the boundary.
        at: position of the layer set.
    """
    j = int(effects.own[i])
    unit = float(effects.units[j])
    _, centre, spread = (float(moment) for moment in null_moments(null_means(effects.null[:, at, j]) / unit))
    return RankedConcept(
        name=effects.boundaries[i].name,
        level=effects.boundaries[i].level,
        value=float(effects.in_sd[i, at, 0, j]),
        low=float(effects.low[i, at, 0, j]) / unit,
        high=float(effects.high[i, at, 0, j]) / unit,
        low_total=float(effects.low_total[i, at, 0, j]) / unit,
        high_total=float(effects.high_total[i, at, 0, j]) / unit,
        null_low=centre - 2.0 * spread,
        null_high=centre + 2.0 * spread,
        q=float(effects.q[i, at, 0, j]),
        is_factor=bool(effects.factors[i]),
    )


def html_of(effects: Effects) -> str:
    """Return an HTML table of the boundaries, strongest first.

    Its columns are the effect at all layers in sd, its intervals, p and q.
    """
    heads = (
        "boundary",
        "level",
        "effect in sd",
        "over verification samples",
        "over learning samples too",
        "p",
        "q",
        "variation factor",
    )
    cells = []
    for i in effects.ranking():
        row, p = ranked(effects, i, effects.all_set), effects.p[i, effects.all_set, 0, effects.own[i]]
        cells.append(
            (
                row.name,
                row.level,
                f"{row.value:.2f}",
                f"[{row.low:.2f}, {row.high:.2f}]",
                f"[{row.low_total:.2f}, {row.high_total:.2f}]" if row.low_total == row.low_total else "",
                f"{p:.2g}",
                f"{row.q:.2g}",
                "yes" if row.is_factor else "no",
            )
        )
    return html_table(heads, cells)
