"""Build the page of edits: each picture with its distances, scores and moved layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from ..figures.pages import asset, data_uri, page_script, page_style, templates
from ..figures.sheets import enlarged
from ..plugins.boundary import STYLES
from ..rescoring.results import concept_units
from ..rescoring.stored_effects import read_effects
from ..runs.manifest import ConceptStats
from ..runs.run import Run
from ..strata.layers import show_layers
from ..strata.moves import unit_in_words
from .record import EditRecord
from .render import Frames
from .response import described, response
from .sources import Source
from .steps import Strip, signed
from .tables import Edited, nearest_step

SHOWN = 3  # scores named under a picture, beside those of the edited concepts
MIN_WIDTH = 128  # smaller pictures are enlarged
NOTABLE = 0.1  # a smaller change, in sd, is not named


@dataclass(frozen=True)
class ScoreView:
    """Hold a score under a picture.

    Attributes:
        name, level: of the concept.
        value: the score.
        change: from the unedited picture, in sd units; None where it is unknown.
        own: whether the concept is one of those that are edited.
    """

    name: str
    level: str
    value: float
    change: str | None
    own: bool


@dataclass(frozen=True)
class CellView:
    """Hold a picture as a data URI, with the moved layers, the distances and the scores under it."""

    image: str
    layers: tuple[str, ...]
    distances: tuple[str, ...]
    scores: tuple[ScoreView, ...]
    alt: str


@dataclass(frozen=True)
class SampleView:
    """Hold the row of a sample: unedited, then at each step.

    Attributes:
        name: of the sample.
        cells: its pictures.
        own: where a picture of the user lies itself, its distance from each boundary; empty for samples.
    """

    name: str
    cells: tuple[CellView, ...]
    own: tuple[str, ...] = ()


@dataclass(frozen=True)
class PartView:
    """Hold a boundary that is moved along: where, and its first and last distance.

    Attributes:
        boundary, where: name and layers.
        target: concept by which a direction found without labels is judged; empty for other boundaries.
        meaning: what such a direction moves beyond chance; empty where it was not re-scored.
        first, last: distances.
    """

    boundary: str
    target: str
    meaning: str
    where: str
    first: float
    last: float


@dataclass(frozen=True)
class SearchView:
    """Hold the range that was found for a boundary: its ends, why it ends there, and the figure."""

    boundary: str
    figure: Markup
    low: float
    high: float
    below: str
    above: str


@dataclass(frozen=True)
class StripView:
    """Hold a strip: the boundaries, a label over each step, a row per sample, and the searches.

    Attributes:
        first: step at which the slider starts.
        at_itself: whether that step is the one next to where the pictures lie themselves.
    """

    name: str
    mode: str
    level: str
    parts: tuple[PartView, ...]
    labels: tuple[str, ...]
    first: int
    at_itself: bool
    rows: tuple[SampleView, ...]
    searches: tuple[SearchView, ...]


def build_page(run: Run, edited: Sequence[Edited], record: EditRecord) -> str:
    """Build one page of all strips that opens offline."""
    environment = templates(__package__)
    environment.filters["signed"] = signed
    space = STYLES if record.styles else "w"
    meanings = meanings_of(run, record)
    return environment.get_template("page.html.j2").render(
        style=Markup(page_style() + asset(__package__, "page.css")),
        script=Markup(page_script() + asset(__package__, "page.js")),
        manifest=run.manifest,
        record=record,
        unit=unit_in_words(record.unit, styles=record.styles),
        short_unit="sd" if record.unit == "sd" else f"in {space}",
        space=space,
        strips=[
            _strip(record.source, each, run.concepts, run.record.generator.background, meanings)
            for each in edited
        ],
    )


def meanings_of(run: Run, record: EditRecord) -> dict[str, str]:
    """Return what directions of the run that were found without labels mean, by name, if it was re-scored."""
    found = [part for strip in record.strips for part in strip.parts if part.boundary.direction]
    if not found or record.boundaries.name != "run" or not run.is_done("rescore"):
        return {}
    return {direction.direction: direction.words for direction in read_effects(run).directions()}


def _strip(
    source: Source,
    each: Edited,
    concepts: Sequence[ConceptStats],
    background: str,
    meanings: Mapping[str, str],
) -> StripView:
    """Return what the template shows of one strip; `meanings` are those of directions, by name."""
    own = [part.column for part in each.strip.parts if part.column is not None]
    rows = []
    for k, name in enumerate(source.names):
        plain = None if each.before.scores is None else each.before.scores[k, 0]
        steps = range(each.strip.distances.shape[1])
        cells = (
            _cell(each.before, k, 0, None, None, own, concepts, background),
            *(_cell(each.frames, k, t, plain, each.strip, own, concepts, background) for t in steps),
        )
        rows.append(SampleView(name, cells, cells[0].distances if source.inverted else ()))
    parts = tuple(zip(each.strip.parts, each.strip.distances, strict=True))
    return StripView(
        name=each.strip.name,
        mode=each.strip.mode,
        level=each.strip.parts[0].boundary.level if each.strip.parts else "layout",
        parts=tuple(
            PartView(
                part.boundary.name,
                part.boundary.concept if part.boundary.direction else "",
                meanings.get(part.boundary.name, ""),
                part.where,
                row[0],
                row[-1],
            )
            for part, row in parts
        ),
        labels=each.strip.labels,
        first=nearest_step(each) if source.inverted else each.strip.distances.shape[1] - 1,
        at_itself=source.inverted,
        rows=tuple(rows),
        searches=tuple(
            SearchView(
                boundary=part.boundary.name,
                figure=Markup(response(search, row).svg(described(part.name, search))),
                low=search.low,
                high=search.high,
                below=search.below,
                above=search.above,
            )
            for (part, row), search in zip(parts, each.strip.search, strict=False)
        ),
    )


def _cell(
    frames: Frames,
    k: int,
    t: int,
    plain: NDArray[np.floating] | None,
    strip: Strip | None,
    own: Sequence[int],
    concepts: Sequence[ConceptStats],
    background: str,
) -> CellView:
    """Return one picture with its distances, the scores of edited concepts, and others that changed most.

    Args:
        frames: pictures of the strip, or before it.
        k: sample.
        t: step.
        plain: scores of the unedited picture (C), or None.
        strip: None for the unedited picture.
        own: columns of the edited concepts.
        concepts: statistics of each concept's scores, (C,).
        background: colour on which pictures with alpha are composited.
    """
    layers = [] if strip is None else [show_layers(part.layers) for part in strip.parts]
    return CellView(
        image=data_uri(enlarged(frames.pictures[k, t], MIN_WIDTH), background),
        layers=tuple(dict.fromkeys(layers)),
        distances=tuple(signed(float(d), 2) for d in frames.distances[k, t] if not np.isnan(d)),
        scores=() if frames.scores is None else _scores(frames.scores[k, t], plain, own, concepts),
        alt="unedited" if strip is None else f"step {strip.labels[t]}",
    )


def _scores(
    scores: NDArray[np.floating],
    plain: NDArray[np.floating] | None,
    own: Sequence[int],
    concepts: Sequence[ConceptStats],
) -> tuple[ScoreView, ...]:
    """Return the scores (C,) to show under a picture: those of edited concepts, and the largest changes."""
    change = np.full(len(scores), np.nan) if plain is None else (scores - plain) / concept_units(concepts)
    others = [
        j
        for j in np.argsort(-np.nan_to_num(np.abs(change)), kind="stable")
        if j not in own and abs(np.nan_to_num(change[j])) >= NOTABLE
    ]
    return tuple(
        ScoreView(
            name=concepts[j].id.split("/", 1)[1],
            level=concepts[j].level,
            value=float(scores[j]),
            change=None if np.isnan(change[j]) else signed(float(change[j])),
            own=j in own,
        )
        for j in [*dict.fromkeys(own), *others[:SHOWN]]
    )
