"""Hold what a dissection found: tables, sentences and detectors of each class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ..errors import UserError, nearest
from ..figures.notebook import data_frame, html_table
from ..messages import listed, quantity, visible
from ..storage.csv_tables import Row, Table
from .curves import KINDS, CurvePoint, Curves
from .request import LEAST_IOU, DissectRequest
from .units import Units

if TYPE_CHECKING:
    from pandas import DataFrame

UNIT_COLUMNS = (
    *("stratum", "name", "unit", "class", "iou", "low", "high", "chance", "p_value", "q_value"),
    *("above_chance", "level", "on", "mean", "high_value"),
)
CURVE_COLUMNS = (
    *("kind", "stratum", "class", "units", "unit_numbers", "value", "low", "high"),
    *("null_mean", "null_low", "null_high", "p_value", "null_rank", "q_value"),
)
PLACE_COLUMNS = ("class", "under", "pictures", "value", "low", "high")
CONCEPT_COLUMNS = (
    *("class", "units_above_chance", "of_these_above_least_iou", "strata"),
    *("best_stratum", "best_unit", "best_iou", "pictures", "share"),
)


@dataclass(frozen=True)
class Detector:
    """Represent a unit that overlaps with its class more than by chance.

    Attributes:
        stratum: number of the stratum.
        name: name of the stratum.
        unit: number of the unit.
        concept: name of its class.
        iou: pooled IoU, from 0 to 1.
        low, high: 95 % interval of the IoU over pictures.
        chance: mean IoU with the masks of other pictures.
        q: corrected p value.
        level: value above which the unit is on.
        high_value: 99 % quantile of its values, to paint it in.
        row: number of the unit among all.
    """

    stratum: int
    name: str
    unit: int
    concept: str
    iou: float
    low: float
    high: float
    chance: float
    q: float
    level: float
    high_value: float
    row: int


@dataclass(frozen=True)
class Dissection:
    """Hold which units detect which class, and what setting them does.

    Attributes:
        units: everything measured of all U units: pooled IoU with each of M classes (U, M), chance, levels.
        curves: ablation, insertion and causal effects; None without units above chance.
        request: how much was measured.
        model: where the generator comes from.
    """

    units: Units
    curves: Curves | None
    request: DissectRequest
    model: str

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the M classes."""
        return self.units.classes

    @cached_property
    def all_detectors(self) -> tuple[Detector, ...]:
        """All units above chance, the highest IoU first."""
        u = self.units
        names = {described.stratum: described.name for described in u.maps}
        low, high = u.own.bounds
        rows = np.flatnonzero(u.above_chance(self.request.rate))
        rows = rows[np.argsort(-u.own.value[rows], kind="stable")]
        return tuple(
            Detector(
                int(u.stratum[i]),
                names[int(u.stratum[i])],
                int(u.unit[i]),
                u.classes[u.label[i]],
                iou=float(u.own.value[i]),
                low=float(low[i]),
                high=float(high[i]),
                chance=float(u.chance[i]),
                q=float(u.q[i]),
                level=float(u.level[i]),
                high_value=float(u.high[i]),
                row=int(i),
            )
            for i in rows
        )

    def detectors(self, concept: str | None = None, stratum: int | None = None) -> tuple[Detector, ...]:
        """Return the units above chance, the highest IoU first.

        Args:
            concept: name of a class; None for all.
            stratum: number of a stratum; None for all.

        Raises:
            UserError: there is no such class.
        """
        if concept is not None and concept not in self.classes:
            raise UserError(
                f"there is no class '{visible(concept)}'.{nearest(concept, self.classes)} "
                f"The classes are {listed(self.classes, 30)}"
            )
        return tuple(
            one
            for one in self.all_detectors
            if concept in (None, one.concept) and stratum in (None, one.stratum)
        )

    @property
    def tables(self) -> dict[str, Table]:
        """Return the tables `units`, `iou` and `concepts` by name; with curves `curves` and `places` too."""
        found = {"units": self._unit_table(), "iou": self._iou_table(), "concepts": self._concept_table()}
        if self.curves is not None:
            found |= {"curves": curve_table(self.curves, self.classes)}
            found |= {"places": place_table(self.curves, self.classes)}
        return found

    def _unit_table(self) -> Table:
        u = self.units
        names = np.repeat([m.name for m in u.maps], [m.channels for m in u.maps])
        low, high = u.own.bounds
        above = u.above_chance(self.request.rate)
        numbers = (u.own.value, low, high, u.chance, u.p, u.q)
        rows: list[Row] = [
            [
                int(u.stratum[i]),
                str(names[i]),
                int(u.unit[i]),
                u.classes[u.label[i]] if u.label[i] >= 0 else "",
                *(float(x[i]) for x in numbers),
                bool(above[i]),
                *(float(x[i]) for x in (u.level, u.on, u.mean, u.high)),
            ]
            for i in range(len(u.unit))
        ]
        return Table(UNIT_COLUMNS, rows)

    def _iou_table(self) -> Table:
        u = self.units
        rows: list[Row] = [
            [int(s), int(unit), *map(float, row)]
            for s, unit, row in zip(u.stratum, u.unit, u.iou, strict=True)
        ]
        return Table(("stratum", "unit", *u.classes), rows)

    def _concept_table(self) -> Table:
        rows: list[Row] = []
        for m, name in enumerate(self.classes):
            found = self.detectors(name)
            best = found[0] if found else None
            rows.append(
                [
                    name,
                    len(found),
                    sum(one.iou >= LEAST_IOU for one in found),
                    len({one.stratum for one in found}),
                    *((None, None, None) if best is None else (best.stratum, best.unit, best.iou)),
                    int(self.units.shown[m]),
                    float(self.units.share[m]),
                ]
            )
        order = sorted(range(len(rows)), key=lambda i: (-int(rows[i][1] or 0), i))
        return Table(CONCEPT_COLUMNS, [rows[i] for i in order])

    @property
    def sentences(self) -> list[str]:
        """What was found, in words."""
        found, total = self.all_detectors, len(self.units.unit)
        strong = sum(one.iou >= LEAST_IOU for one in found)
        named = sorted({one.concept for one in found})
        possible = [name for m, name in enumerate(self.classes) if m or not self.units.background]
        said = [
            f"{len(found)} of {quantity(total, 'unit')} overlap with their class more than with its masks in "
            f"other pictures; {strong} of these have an IoU of {LEAST_IOU} or more.",
            f"They detect {len(named)} of {quantity(len(possible), 'class', 'classes')}"
            + (f"; none detects {listed(none, 30)}." if (none := _without(possible, named)) else "."),
        ]
        if missing := [self.classes[m] for m in np.flatnonzero(self.units.shown == 0)]:
            said.append(f"No picture shows {listed(missing, 30)}, so no unit can be measured by it.")
        if silent := int((self.units.label < 0).sum()):
            said.append(f"{quantity(silent, 'unit')} went with no class at any level, such as constant ones.")
        return said + (self._of_curves() if self.curves is not None else [])

    def _of_curves(self) -> list[str]:
        """Say what the curves show."""
        assert self.curves is not None
        stratum = self.curves.stratum
        name = next(m.name for m in self.units.maps if m.stratum == stratum)
        said = []
        for kind, did in ((KINDS[0], "switching off"), (KINDS[1], "painting in")):
            points = [p for p in self.curves.points if p.kind == kind and p.acts(self.request.rate)]
            effect = "removes it" if kind == KINDS[0] else "adds it"
            single = sorted({self.classes[p.label] for p in points if len(p.units) == 1})
            any_size = sorted({self.classes[p.label] for p in points})
            said.append(
                f"In stratum {stratum} ({visible(name)}), {did} the units with the highest IoU with a class "
                f"{effect} more than random units do, for {len(any_size)} of "
                f"{quantity(len(self.curves.labels), 'class', 'classes')}"
                + (f": {listed(any_size, 30)}" if any_size else "")
                + (f"; a single unit does so for {listed(single, 30)}." if single else ".")
            )
        return said

    def to_pandas(self) -> DataFrame:
        """Return the table of units as a data frame.

        Raises:
            ImportError: pandas is not installed.
        """
        return data_frame(self.tables["units"].records)

    def _repr_html_(self) -> str:
        """Show in a notebook how many units detect each class, and the best."""
        rows = [
            [
                str(row[0]),
                str(row[1]),
                "–" if row[6] is None else f"stratum {row[4]}, unit {row[5]}",
                "–" if row[6] is None else f"{row[6]:.2f}",
            ]
            for row in self.tables["concepts"].rows
        ]
        return html_table(("class", "units above chance", "best unit", "its IoU"), rows)

    def __repr__(self) -> str:
        """Return the number of units and of detectors, not their numbers."""
        return f"Dissection({len(self.units.unit)} units, {len(self.all_detectors)} above chance)"


def _without(names: Sequence[str], others: Sequence[str]) -> list[str]:
    return [name for name in names if name not in others]


def curve_table(curves: Curves, classes: Sequence[str]) -> Table:
    """Return a row per kind, class and size."""
    rows: list[Row] = [
        [
            point.kind,
            curves.stratum,
            classes[point.label],
            len(point.units),
            " ".join(map(str, point.units)),
            *_numbers(point),
        ]
        for point in curves.points
    ]
    return Table(CURVE_COLUMNS, rows)


def _numbers(p: CurvePoint) -> tuple[float, ...]:
    return p.value, p.low, p.high, p.null, p.null_low, p.null_high, p.p, p.rank, p.q


def place_table(curves: Curves, classes: Sequence[str]) -> Table:
    """Return a row per class and class that was there before."""
    return Table(
        PLACE_COLUMNS,
        [[classes[p.label], classes[p.under], p.pictures, p.value, p.low, p.high] for p in curves.places],
    )
