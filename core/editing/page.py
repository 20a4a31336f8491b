"""Build the page and the tables of edits: each picture with its distances, scores and moved layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup

from ..figures.axes import Axes
from ..figures.pages import asset, data_uri, page_script, page_style, templates
from ..figures.sheets import enlarged
from ..figures.svg import Canvas
from ..rescoring.results import concept_units
from ..runs.run import Run
from ..storage.csv_tables import csv_text
from ..strata.layers import show_layers
from .render import Frames
from .steps import Strip, signed

SHOWN = 3  # scores named under a picture, beside those of the edited concepts
MIN_WIDTH = 128  # smaller pictures are enlarged
NOTABLE = 0.1  # a smaller change, in sd, is not named


@dataclass(frozen=True)
class Edited:
    """Hold a strip with the pictures before (T = 1) and at its steps."""

    strip: Strip
    before: Frames
    frames: Frames


def steps_text(names: Sequence[str], edited: Sequence[Edited]) -> str:
    """Return steps.csv: a row per strip, sample, step and part, with both distances."""
    rows: list[list[Any]] = [["strip", "sample", "step", "boundary", "layers", "distance", "from_boundary"]]
    for each in edited:
        for k, name in enumerate(names):
            for p, part in enumerate(each.strip.parts):
                where = [each.strip.name, name], [part.boundary.name, part.set_name]
                rows.append([*where[0], "unedited", *where[1], "", _cell(each.before.distances[k, 0, p])])
                rows += [
                    [*where[0], t, *where[1], _cell(distance), _cell(each.frames.distances[k, t, p])]
                    for t, distance in enumerate(each.strip.distances[p])
                ]
    return csv_text(rows)


def scores_text(names: Sequence[str], edited: Sequence[Edited], concepts: Sequence[Mapping[str, Any]]) -> str:
    """Return scores.csv: a row per strip, sample and step, a column per concept."""
    rows: list[list[Any]] = [["strip", "sample", "step", *(concept["id"] for concept in concepts)]]
    for each in edited:
        assert each.before.scores is not None
        assert each.frames.scores is not None
        for k, name in enumerate(names):
            table = [
                ("unedited", each.before.scores[k, 0]),
                *((str(t), row) for t, row in enumerate(each.frames.scores[k])),
            ]
            rows += [[each.strip.name, name, t, *map(_cell, row)] for t, row in table]
    return csv_text(rows)


def build_page(run: Run, names: Sequence[str], edited: Sequence[Edited], record: Mapping[str, Any]) -> str:
    """Build one page of all strips that opens offline."""
    environment = templates(__package__)
    environment.filters["signed"] = signed
    concepts = run.concepts
    return environment.get_template("page.html.j2").render(
        style=Markup(page_style() + asset(__package__, "page.css")),
        script=Markup(page_script() + asset(__package__, "page.js")),
        manifest=run.manifest,
        record=record,
        unit="standard deviations of w" if record["unit"]["name"] == "sd" else "units of w",
        strips=[_strip(names, each, concepts) for each in edited],
    )


def _strip(names: Sequence[str], each: Edited, concepts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what the template shows of one strip."""
    own = [part.column for part in each.strip.parts if part.column is not None]
    rows = []
    for k, name in enumerate(names):
        plain = None if each.before.scores is None else each.before.scores[k, 0]
        cells = [_cell_of(each.before, k, 0, None, None, own, concepts)]
        cells += [
            _cell_of(each.frames, k, t, plain, each.strip, own, concepts)
            for t in range(each.strip.distances.shape[1])
        ]
        rows.append({"name": name, "cells": cells})
    return {
        "name": each.strip.name,
        "mode": each.strip.mode,
        "level": each.strip.parts[0].boundary.level,
        "parts": [
            {"boundary": part.boundary.name, "where": part.where, "first": row[0], "last": row[-1]}
            for part, row in zip(each.strip.parts, each.strip.distances, strict=True)
        ],
        "labels": each.strip.labels,
        "rows": rows,
        "searches": [
            {
                "boundary": part.boundary.name,
                "figure": Markup(response(search, row).svg(_described(part.name, search))),
                **search,
            }
            for part, search, row in zip(
                each.strip.parts, each.strip.search, each.strip.distances, strict=False
            )
        ],
    }


def _cell_of(
    frames: Frames,
    k: int,
    t: int,
    plain: Any,
    strip: Strip | None,
    own: Sequence[int],
    concepts: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """Return one picture with its distances, the scores of edited concepts, and others that changed most.

    Args:
        frames: pictures of the strip, or before it.
        k: sample.
        t: step.
        plain: scores of the unedited picture (C), or None.
        strip: None for the unedited picture.
        own: columns of the edited concepts.
        concepts: rows of run.json.
    """
    scores = None if frames.scores is None else frames.scores[k, t]
    shown: list[dict[str, Any]] = []
    if scores is not None:
        unit = concept_units(concepts)
        change = np.full(len(scores), np.nan) if plain is None else (scores - plain) / unit
        others = [
            j
            for j in np.argsort(-np.nan_to_num(np.abs(change)), kind="stable")
            if j not in own and abs(np.nan_to_num(change[j])) >= NOTABLE
        ]
        for j in [*dict.fromkeys(own), *others[:SHOWN]]:
            name, number = concepts[j]["id"].split("/", 1)[1], float(scores[j])
            shown.append(
                {
                    "name": name,
                    "level": concepts[j]["level"],
                    "value": number,
                    "change": float(change[j]),
                    "own": j in own,
                }
            )
    distances = [float(d) for d in frames.distances[k, t]]
    return {
        "image": data_uri(enlarged(frames.pictures[k, t], MIN_WIDTH)),
        "layers": []
        if strip is None
        else list(dict.fromkeys(show_layers(part.layers) for part in strip.parts)),
        "distances": [signed(d, 2) for d in distances if not np.isnan(d)],
        "scores": [s | {"change": None if np.isnan(s["change"]) else signed(s["change"])} for s in shown],
        "alt": "unedited" if strip is None else f"step {strip.labels[t]}",
    }


def response(search: Mapping[str, Any], chosen: Any) -> Canvas:
    """Draw the mean score over the distance, with its interval, the range of a search and its steps.

    Args:
        search: record of a Range.
        chosen: distances of the steps.
    """
    rows = [row for row in search["curve"] if row["score"] is not None]
    canvas = Canvas(560, 230)
    bounds = [row[key] if row[key] is not None else row["score"] for row in rows for key in ("low", "high")]
    axes = Axes(
        canvas,
        left=60,
        right=545,
        top=12,
        bottom=185,
        x=(rows[0]["step"], rows[-1]["step"]),
        y=(min(bounds), max(bounds)),
        x_ticks=8,
        y_ticks=4,
    )
    x, y = axes.x, axes.y
    canvas.rect(x(search["low"]), 12, x(search["high"]) - x(search["low"]), 173, "null", opacity=0.5)
    axes.y_grid(gap=6)
    axes.x_numbers(gap=18)
    canvas.text(302, 222, "distance moved; dots are the steps taken", css="soft", anchor="middle")
    known = [row for row in rows if row["low"] is not None]
    area = [(x(row["step"]), y(row["high"])) for row in known] + [
        (x(row["step"]), y(row["low"])) for row in reversed(known)
    ]
    if area:
        canvas.path(area, "band f-layout", closed=True)
    canvas.path([(x(row["step"]), y(row["score"])) for row in rows], "line s-layout")
    steps, scores = [row["step"] for row in rows], [row["score"] for row in rows]
    for distance in chosen:
        canvas.circle(
            x(distance),
            y(float(np.interp(distance, steps, scores))),
            4.0,
            "f-category",
            title=f"{signed(distance, 2)}",
        )
    return canvas


def _described(name: str, search: Mapping[str, Any]) -> str:
    """Describe the figure of a search."""
    low, high = signed(search["low"]), signed(search["high"])
    return f"Mean score of {name} over the distance moved; the search gives the range {low} to {high}"


def _cell(value: float) -> str:
    """Write a number for a table; NaN is empty."""
    return "" if np.isnan(value) else f"{value:.6g}"
