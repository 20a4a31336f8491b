"""Write where classes are read and where they are moved as a table, sentences and files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..decimals import percent
from ..figures.figure import Figure
from ..storage.csv_tables import Row, Table
from ..storage.json_values import JsonObject
from ..storage.result_folder import index_text
from ..strata.layers import layers_in_words, show_layers
from .read_and_moved import ClassLayers, MovedAt, ReadAt
from .read_and_moved_chart import read_and_moved_chart

INDEX = "read_and_moved.json"


@dataclass(frozen=True)
class ReadAndMoved:
    """Hold where the classes of an extractor are read and moved, and what that rests on.

    Attributes:
        rows: a row per class.
        layers: number of layers of the generator.
        extractor, head: name of the segmentation folder, and its head.
        layerwise: whether the extractor's strata were trained to say something by themselves.
        images: number of pictures behind the IoU.
        run: path of the run.
        scorer: its scorer whose concepts are the classes.
        step: how far layers were moved, in units of w or s.
        record: generator, teacher, seed, extractor and provenance, for the index.
    """

    rows: Sequence[ClassLayers]
    layers: int
    extractor: str
    head: str
    layerwise: bool
    images: int
    run: str
    scorer: str
    step: float
    record: JsonObject

    @property
    def figure(self) -> Figure:
        """The chart of both sides."""
        return read_and_moved_chart(self.rows, self.layers)

    @property
    def sentences(self) -> list[str]:
        """A sentence or two per class, after what must be known to read them."""
        lines = []
        if not self.layerwise:
            lines.append(
                f"The strata of {self.extractor} were not trained to say anything by themselves, so a low "
                "IoU of a stratum does not mean that the class cannot be read there. "
                "Train with training.layerwise_loss=0.1."
            )
        return lines + [sentence(row) for row in self.rows]

    @property
    def table(self) -> Table:
        """A row per class: where it is read best, and where it is moved most."""
        rows: list[Row] = []
        for row in self.rows:
            read, moved = best_read(row), best_moved(row)
            rows.append(
                [
                    row.name,
                    *row.iou,
                    show_layers(row.read_layers) or None,
                    *(
                        (None, None, None, None)
                        if read is None
                        else (read.name, read.iou, read.low, read.high)
                    ),
                    row.concept or None,
                    row.is_factor,
                    show_layers(row.moved_layers) or None,
                    *((None, None, None) if moved is None else (moved.change, moved.low, moved.high)),
                    row.unread,
                    row.unmoved,
                ]
            )
        return Table(
            (
                *("class", "iou", "iou_low", "iou_high"),
                *("read_at_layers", "best_stratum", "stratum_iou", "stratum_low", "stratum_high"),
                *(
                    "concept",
                    "variation_factor",
                    "moved_at_layers",
                    "change_in_sd",
                    "change_low",
                    "change_high",
                ),
                *("not_read_because", "not_moved_because"),
            ),
            rows,
        )

    def files(self) -> dict[str, bytes]:
        """Return the content of every file by name."""
        figure = self.figure
        contents = {
            "read_and_moved.svg": figure.file.encode(),
            "read_and_moved.csv": figure.csv.encode(),
            "classes.csv": self.table.csv.encode(),
        }
        index: JsonObject = {
            **self.record,
            "extractor": {"name": self.extractor, "head": self.head, "layerwise_loss": self.layerwise},
            "images": self.images,
            "run": {"path": self.run, "scorer": self.scorer, "step_in_w": self.step},
            "sentences": self.sentences,
        }
        return contents | {INDEX: index_text(index, contents)}


def best_read(row: ClassLayers) -> ReadAt | None:
    """Return the stratum that reads a class best; None if it cannot be read."""
    return None if row.unread else max(row.read, key=lambda one: float(np.nan_to_num(one.iou, nan=-1.0)))


def best_moved(row: ClassLayers) -> MovedAt | None:
    """Return the layer that moves a class most; None if none does."""
    able = [one for one in row.moved if one.is_significant]
    return None if row.unmoved else max(able, key=lambda one: one.change)


def sentence(row: ClassLayers) -> str:
    """Say of one class where it is read and moved, and how the two lie to each other."""
    read, moved = best_read(row), best_moved(row)
    parts = [
        f"not read: {row.unread}"
        if read is None
        else f"read best at {_layer(read)} (IoU {percent(read.iou, 0)}"
        f"{_bounds(100 * read.low, 100 * read.high, 0)}){_others(read.layer, row.read_layers)}",
        f"not moved: {row.unmoved}"
        if moved is None
        else f"moved most at layer {moved.layer} ({moved.change:+.2f} sd{_bounds(moved.low, moved.high, 2)})"
        f"{_others(moved.layer, row.moved_layers)}",
    ]
    return f"{row.name}: {'; '.join(parts)}.{_order(row)}"


def _layer(read: ReadAt) -> str:
    where = "no layer" if read.layer is None else f"layer {read.layer}"
    return f"{where}, stratum {read.stratum} {read.name}"


def _bounds(low: float, high: float, digits: int) -> str:
    return "" if np.isnan(low) else f" [{low:.{digits}f}, {high:.{digits}f}]"


def _others(best: int | None, layers: Sequence[int]) -> str:
    """Return which other layers cannot be told from the best."""
    others = [layer for layer in layers if layer != best]
    return f" ({layers_in_words(others)} cannot be told from it)" if others else ""


def _order(row: ClassLayers) -> str:
    """Return whether a class is moved before, where or after it is read best."""
    read, moved = row.read_layers, row.moved_layers
    if not read or not moved:
        return ""
    if max(moved) < min(read):
        return " It is moved at earlier layers than it is read best."
    if min(moved) > max(read):
        return " It is moved at later layers than it is read best."
    return " It is moved where it is read best." if set(read) & set(moved) else ""
