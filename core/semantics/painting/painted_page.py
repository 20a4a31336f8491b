"""Build the page of an edit, or of samples, by painting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ...decimals import number
from ...figures.masks import hexadecimal
from ...figures.pages import asset, data_uri, framed
from ...figures.pictures import Pixels
from ...figures.sheets import enlarged
from ..annotation.legend import UNKNOWN_COLOUR, Legend
from ..nearest import nearest_pixels, nearest_planes
from .studio import Studio, pictures_of

if TYPE_CHECKING:
    from .edit_stage import PaintedEdit
    from .sample_stage import PaintedSamples

WIDTH = 192  # smaller pictures are enlarged


@dataclass(frozen=True)
class Cell:
    """Hold a picture as a data URI, with a heading and words under it."""

    image: str
    head: str
    words: str
    alt: str


@dataclass(frozen=True)
class Group:
    """Hold pictures under a common name."""

    name: str
    cells: tuple[Cell, ...]


def edit_page(studio: Studio, edited: PaintedEdit, legend: Legend, codes: str) -> str:
    """Return the page of an edit as HTML, one file that needs no network."""
    before, after = (pictures_of(x)[0] for x in (edited.found.before, edited.found.after))
    used = "teacher" if edited.request.by == "teacher" else "extractor"
    change = edited.changes[used]
    heads = ("Before", "After")
    cells = [
        _cell(before, "Before", ""),
        _cell(_painted(before, edited, legend), "Painted", _what(edited, legend)),
    ]
    cells += [_cell(after, "After", ""), _cell(_difference(before, after), "Change", "grey: none")]
    groups = [Group("", tuple(cells))]
    groups += [
        Group(
            f"As the {who} sees it",
            tuple(
                _cell(coloured(labels, legend), head, "") for head, labels in zip(heads, pair, strict=True)
            ),
        )
        for who, pair in edited.labels.items()
    ]
    if edited.target is not None:
        first = groups[1 + list(edited.labels).index(used)]
        wanted = _cell(coloured(edited.target[0], legend), "Wanted", "the labels before, with the strokes")
        groups[groups.index(first)] = Group(first.name, (first.cells[0], wanted, *first.cells[1:]))
    rows = []
    if edited.target is not None:
        rows += [
            (
                f"painted pixels with the wanted class, by the {who}",
                _percent(c.wanted_before),
                _percent(c.wanted_after),
            )
            for who, c in edited.changes.items()
        ]
    rows += [
        (f"other pixels with another label than before, by the {who}", "–", _percent(c.elsewhere))
        for who, c in edited.changes.items()
    ]
    rows += [
        ("mean change of colour in painted pixels", "–", _percent(edited.colours.painted / 100.0)),
        ("mean change of colour elsewhere", "–", _percent(edited.colours.elsewhere / 100.0)),
        ("loss", number(float(edited.found.losses[0])), number(float(edited.found.losses[-1]))),
    ]
    lead = (
        f"{_percent(change.wanted_after)} of the painted pixels have the wanted class now, by the {used}, "
        f"and {_percent(change.elsewhere)} of the others changed theirs."
        if edited.target is not None
        else "The picture was moved towards painted colours; "
        f"{_percent(change.elsewhere)} of the other pixels changed their class."
    )
    return _page(
        studio,
        legend,
        kind="edit by painting",
        heading=f"{edited.picture.words} of",
        lead=lead,
        groups=groups,
        shown=[x for pair in edited.labels.values() for x in pair],
        heads=("Measure", *heads),
        rows=rows,
        index="edit.json",
        codes=codes,
        terms=edit_terms(studio),
    )


PAINTED_PIXELS = (
    "Painted pixels",
    "Those whose painted class differs from the class before. All other pixels are to keep theirs.",
)
CHANGE_OF_COLOUR = (
    "Change of colour",
    "Mean absolute difference of red, green and blue, in percent of their range.",
)
BOTH = (
    "Extractor and teacher",
    "The extractor reads classes off the generator's feature maps. The teacher is the segmentation "
    "network by whose labels it was trained, and looks at the picture. Codes move until one of the two "
    "agrees with what is painted, so the other one is the judge.",
)
ALONE = (
    "Extractor",
    "It reads classes off the generator's feature maps, as it has learnt from painted masks. Codes move "
    "until it agrees with what is painted. Nobody else judges the result but you.",
)


def edit_terms(studio: Studio) -> tuple[tuple[str, str], ...]:
    """Return what the page of an edit explains."""
    return PAINTED_PIXELS, BOTH if studio.has_teacher else ALONE, CHANGE_OF_COLOUR


def sample_page(studio: Studio, sampled: PaintedSamples, legend: Legend, codes: str) -> str:
    """Return the page of sampled pictures as HTML, one file that needs no network."""
    accuracy, mious = sampled.accuracy(), sampled.mious()
    mask = _cell(coloured(sampled.target, legend), "Mask", "black: unknown")
    cells = []
    for i, picture in enumerate(sampled.pictures):
        words = f"{_percent(accuracy[i])} of the pixels agree"
        cells += [
            _cell(picture, f"Picture {i}", words),
            _cell(coloured(sampled.labels[i], legend), "Labels", ""),
        ]
    columns = (
        sampled.numbers,
        [_percent(share) for share in sampled.accuracy(before=True)],
        [_percent(share) for share in accuracy],
        [number(value) for value in sampled.mious(before=True)],
        [number(value) for value in mious],
    )
    return _page(
        studio,
        legend,
        kind="samples of a mask",
        heading="Pictures of a mask, by",
        lead=f"On average {_percent(float(accuracy.mean()))} of the known pixels of the mask have their "
        f"class, by the {sampled.request.by}.",
        groups=[Group("What was painted", (mask,)), Group("Pictures that have it", tuple(cells))],
        shown=[sampled.target, sampled.labels],
        heads=("Picture", "Sample", "Pixels before", "Pixels", "mIoU before", "mIoU"),
        rows=[tuple(map(str, row)) for row in zip(range(len(cells) // 2), *columns, strict=True)],
        index="sample.json",
        codes=codes,
        terms=(
            ("Sample", "Number of the sample that the picture started from: of several, the best match."),
            ("Pixels", "Share of the known pixels of the mask that have its class in the picture."),
            ("mIoU", "Mean intersection over union of the classes that are in the mask or in the picture."),
            ("Before", "In the sample that the picture started from."),
        ),
    )


def _page(
    studio: Studio,
    legend: Legend,
    *,
    kind: str,
    heading: str,
    lead: str,
    groups: Sequence[Group],
    shown: Sequence[Tensor],
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    index: str,
    codes: str,
    terms: Sequence[tuple[str, str]],
) -> str:
    """Fill in the template."""
    occurring = torch.unique(torch.cat([x.flatten().cpu() for x in shown])).tolist()
    model = studio.generator.card.source
    values = {
        "title": f"{heading} {model}",
        "model": model,
        "legend": [
            {"name": legend.names[i], "colour": hexadecimal(legend.colours[i])} for i in occurring if i >= 0
        ],
        "fingerprint": studio.generator.fingerprint,
        "kind": kind,
        "heading": heading,
        "lead": lead,
        "groups": groups,
        "heads": heads,
        "rows": rows,
        "index": index,
        "codes": codes,
        "terms": terms,
    }
    return framed(__package__, "painted.html.j2", values, asset(__package__, "painted.css"))


def coloured(labels: Tensor, legend: Legend) -> Pixels:
    """Return labels (H, W) in the colours of their classes, (H, W, 3); black where unknown."""
    colours = np.concatenate([legend.colours, np.array([UNKNOWN_COLOUR], np.uint8)])
    return np.asarray(colours[labels.cpu().numpy()])  # UNKNOWN is -1, the last


def _painted(picture: Pixels, edited: PaintedEdit, legend: Legend) -> Pixels:
    """Return a picture (H, W, 3) with the strokes over it."""
    inside = nearest_planes(edited.painted, (picture.shape[0], picture.shape[1]))[0].cpu().numpy()
    if edited.wanted is not None:
        colours = edited.wanted
    else:
        assert edited.target is not None
        colours = nearest_pixels(coloured(edited.target[0], legend), picture.shape[:2])
    return np.where(inside[..., None], colours, picture).astype(np.uint8)


def _difference(before: Pixels, after: Pixels) -> Pixels:
    """Return what was added to each colour, half as large, on grey."""
    change = (after.astype(np.int16) - before.astype(np.int16)) // 2 + 128
    return change.clip(0, 255).astype(np.uint8)


def _what(edited: PaintedEdit, legend: Legend) -> str:
    """Return the names of the painted classes."""
    if edited.target is None:
        return "colours"
    return ", ".join(
        legend.names[i].replace("_", " ") for i in torch.unique(edited.target[edited.painted]).tolist()
    )


def _cell(picture: Pixels, head: str, words: str) -> Cell:
    return Cell(data_uri(enlarged(picture, WIDTH)), head, words, f"{head}{': ' if words else ''}{words}")


def _percent(share: float) -> str:
    """Write a share as percent; a dash for NaN.

    >>> _percent(0.5), _percent(float("nan")), _percent(0.004)
    ('50\xa0%', '–', '0.4\xa0%')
    """
    if share != share:
        return "–"
    digits = 0 if share == 0.0 or share >= 0.0995 else 1
    return f"{100.0 * share:.{digits}f}\u00a0%"
