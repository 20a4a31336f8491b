"""Build the page of a comparison of extractors: one file that opens offline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from ...figures.figure import Figure
from ...figures.pages import framed, png_uri
from .comparison import Comparison
from .evaluation_tables import numbers, remark, sentences

Three = tuple[float, float, float]
NOTHING: Three = (np.nan, np.nan, np.nan)


@dataclass(frozen=True)
class ExtractorView:
    """Hold the row of an extractor: each number with low and high."""

    name: str
    head: str
    per_image: Three
    pooled: Three
    accuracy: Three
    gap_per_image: Three
    gap_pooled: Three


@dataclass(frozen=True)
class ClassView:
    """Hold the row of a class and an extractor."""

    name: str
    extractor: str
    per_image: Three
    pooled: Three
    pictures: int
    share: float
    teacher: float
    remark: str


@dataclass(frozen=True)
class StrataView:
    """Hold what the strata of one extractor say: the chart, and the names of its files."""

    name: str
    head: str
    layerwise: bool
    chart: Markup
    stem: str
    sheet: str


def build_page(found: Comparison, charts: list[Figure], sheets: Mapping[str, bytes]) -> str:
    """Build the page.

    Args:
        found: the comparison.
        charts: as `evaluation_figures.figures` gives them.
        sheets: as `evaluation_figures.mask_sheets` gives them.
    """
    return framed(
        __package__,
        "evaluation.html.j2",
        {
            "found": found,
            "stated": found.stated,
            "sentences": sentences(found),
            "rows": _extractors(found),
            "classes": _classes(found),
            "names": [reading.name for reading in found.evaluation.readings],
            "class_chart": Markup(charts[0].inline),
            "strata": _strata(found, charts[1:], sheets),
            "sheets": {name: png_uri(content) for name, content in sheets.items()},
        },
    )


def trained_layerwise(facts: Mapping[str, object]) -> bool:
    """Return whether an extractor's strata were trained to say something by themselves."""
    training = facts.get("training")
    return isinstance(training, Mapping) and bool(training.get("layerwise_loss"))


def _extractors(found: Comparison) -> list[ExtractorView]:
    views = []
    for reading in found.evaluation.readings:
        scores, gap = found.quality.scores[reading.name], found.quality.gaps.get(reading.name)
        views.append(
            ExtractorView(
                reading.name,
                reading.extractor.architecture.head,
                numbers(scores.mean_per_image),
                numbers(scores.mean_pooled),
                numbers(scores.accuracy),
                NOTHING if gap is None else numbers(gap.per_image),
                NOTHING if gap is None else numbers(gap.pooled),
            )
        )
    return views


def _classes(found: Comparison) -> list[ClassView]:
    e = found.evaluation
    shares = e.pixels.sum(axis=0) / max(e.pixels.sum(), 1)
    return [
        ClassView(
            name,
            extractor,
            numbers(scores.per_image.part(m)),
            numbers(scores.pooled.part(m)),
            int((e.pixels[:, m] > 0).sum()),
            float(shares[m]),
            np.nan if found.stated is None else found.stated.iou.get(name, np.nan),
            remark(found, m),
        )
        for m, name in enumerate(e.classes)
        for extractor, scores in found.quality.scores.items()
    ]


def _strata(found: Comparison, charts: list[Figure], sheets: Mapping[str, bytes]) -> list[StrataView]:
    readings = [reading for reading in found.evaluation.readings if reading.strata]
    layerwise = [name for name in sheets if name.startswith("layerwise")]
    return [
        StrataView(
            reading.name,
            reading.extractor.architecture.head,
            trained_layerwise(reading.extractor.facts),
            Markup(chart.inline),
            chart.name,
            sheet,
        )
        for reading, chart, sheet in zip(readings, charts, layerwise, strict=True)
    ]
