"""Build the page of a dissection: one file that opens offline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from ..figures.figure import Figure
from ..figures.pages import data_uri, page_script, page_style, templates
from ..figures.pictures import Pixels
from ..messages import this_version
from .curves import KINDS, CurvePoint
from .request import LEAST_IOU
from .result import Detector, Dissection
from .strips import SHOWN

LISTED = 4  # units of each class whose pictures are shown


@dataclass(frozen=True)
class UnitView:
    """Hold a unit and its strip of pictures."""

    unit: Detector
    strip: str


@dataclass(frozen=True)
class ClassView:
    """Hold a class, the number of its units, and the best of them."""

    name: str
    count: int
    units: tuple[UnitView, ...]


@dataclass(frozen=True)
class EffectView:
    """Hold the row of a class: what its single best unit does, and the largest set."""

    name: str
    first: CurvePoint
    off: CurvePoint
    painted: CurvePoint
    effect: CurvePoint


def listed_units(found: Dissection, each: int = LISTED) -> list[Detector]:
    """Return the units whose pictures are shown: the best of each class."""
    return [one for name in found.classes for one in found.detectors(name)[:each]]


def build_page(
    found: Dissection, charts: Sequence[Figure], strips: Mapping[int, Pixels], segmenter: str
) -> str:
    """Build the page.

    Args:
        found: the dissection.
        charts: as `charts.figures` gives them.
        strips: pictures (H, W, 3) of each listed unit, by its number.
        segmenter: name of the segmenter.
    """
    shown = {chart.name: Markup(chart.inline) for chart in charts}
    return (
        templates(__package__)
        .get_template("dissection.html.j2")
        .render(
            style=Markup(page_style()),
            script=Markup(page_script()),
            version=this_version(),
            found=found,
            request=found.request,
            segmenter=segmenter,
            sentences=found.sentences,
            charts=shown,
            least=LEAST_IOU,
            pictures=SHOWN,
            classes=_classes(found, strips),
            concepts=found.tables["concepts"].records,
            effects=_effects(found),
            places=found.tables["places"].records if found.curves is not None else [],
            stratum_name=_stratum_name(found),
        )
    )


def _stratum_name(found: Dissection) -> str:
    if found.curves is None:
        return ""
    return next(m.name for m in found.units.maps if m.stratum == found.curves.stratum)


def _classes(found: Dissection, strips: Mapping[int, Pixels]) -> list[ClassView]:
    views = []
    for row in found.tables["concepts"].rows:
        name, count = str(row[0]), int(row[1] or 0)
        best = [one for one in found.detectors(name) if one.row in strips]
        if best:
            views.append(
                ClassView(name, count, tuple(UnitView(one, data_uri(strips[one.row])) for one in best))
            )
    return views


def _effects(found: Dissection) -> list[EffectView]:
    if found.curves is None:
        return []
    views = []
    for m in found.curves.labels:
        off, painted = (found.curves.of(kind, m) for kind in KINDS[:2])
        (effect,) = found.curves.of(KINDS[2], m)
        views.append(EffectView(found.classes[m], off[0], off[-1], painted[-1], effect))
    return sorted(views, key=lambda view: view.off.value if view.off.value == view.off.value else 9.0)
