"""Show how objects change as a figure and sentences, by rule from estimates and their intervals."""

from __future__ import annotations

from collections.abc import Sequence

from ..decimals import percent
from ..figures.figure import Figure
from ..rescoring.transitions import Transition, mapped, staying
from ..strata.layers import layers_in_words, show_layers
from ..strata.moves import unit_in_words
from .objects_chart import flow
from .objects_record import Hop, Objects

HALF = 0.5  # a class stays if the interval of its share lies above this
LISTED = 5  # flows that a sentence names


def figure_of(objects: Objects) -> Figure:
    """Draw the flows between classes."""
    return flow(objects.rows, objects.classes, objects.stuff, objects.along)


def description(objects: Objects) -> str:
    """Say which samples were moved, how far and at which layers."""
    settings = objects.settings
    assert settings is not None
    unit = unit_in_words(settings.unit, styles=settings.styles)
    which = f" that have {settings.start}" if settings.start else ""
    many = "sample" if settings.samples == 1 else "samples"
    layers = show_layers(settings.layers)
    place = (
        layers_in_words(settings.layers)
        if settings.set_name == layers
        else f"the {settings.set_name} layers ({layers})"
        if settings.set_name != "all"
        else "all layers"
    )
    if settings.are_layers_default and settings.set_name != "all":
        these = "this boundary has its" if len(objects.along) == 1 else "these boundaries have their"
        place += f", the group where {these} largest effect by re-scoring"
    return (
        f"{settings.samples} fresh {many}{which} moved along "
        f"{', then from there along '.join(objects.along)}, "
        f"{settings.step:g} {unit} each, at {place}; "
        f"labelled by the segmenter '{settings.segmenter}'."
    )


def sentences_of(objects: Objects, hop: int) -> list[str]:
    """Write the conclusions about a hop, counted from 1."""
    assert objects.settings is not None
    rows = [row for row in objects.rows if row.hop == hop]
    return [
        *_raised(objects.hops[hop - 1], objects.settings.step),
        *_back(objects.hops[hop - 1], hop),
        *_stays(rows, objects.stuff),
        *_flows(rows, objects.kinds),
    ]


def _raised(hop: Hop, step: float) -> list[str]:
    """Say whether the concept of a hop rises, and whether most samples have it afterwards."""
    if hop.before is None or hop.after is None:
        return [f"{hop.concept}: no sample has a score before and after."]
    if hop.low is None or hop.high is None:
        return [f"{hop.concept}: only one sample has a score before and after, too few for an interval."]
    verdict = "rises" if hop.low > 0.0 else "falls" if hop.high < 0.0 else "does not change significantly"
    change = f"{_signed(hop.after - hop.before)} [{_signed(hop.low)}, {_signed(hop.high)}]"
    words = f"{hop.concept} {verdict}: {change}, from {_plain(hop.before)} to {_plain(hop.after)}"
    if hop.above_before is not None and hop.above_after is not None:
        before, after = (percent(share, 0) for share in (hop.above_before, hop.above_after))
        words += f"; {before} of the samples have it before, {after} after"
    sentences = [f"{words}."]
    if step > 0.0 and hop.above_after is not None and hop.above_after < HALF:
        sentences.append(
            "So most samples do not have the concept afterwards; a longer --step or other --layers may help."
        )
    return sentences


def _back(hop: Hop, number: int) -> list[str]:
    """Say how much of the previous hop a hop undoes."""
    if hop.returned is None or hop.cosine is None:
        return []
    value, low, high = hop.returned
    verdict = ", so this hop mostly goes back" if low > HALF else ""
    return [
        f"{value:.2f} [{low:.2f}, {high:.2f}] of the pixels that hop {number - 1} changed have their earlier "
        f"label again{verdict}; the cosine of the two directions is {_plain(hop.cosine)}."
    ]


def _stays(rows: Sequence[Transition], stuff: Sequence[str]) -> list[str]:
    """Say which stuff classes keep most of their pixels, by the interval of the share that they keep."""
    shares = staying(rows, stuff)
    if not shares:
        return ["No stuff class is large enough to say whether it stays."]
    sentences = []
    for title, part in (
        (
            "Stuff that stays, by the share of its pixels that keep their label",
            [row for row in shares if row.low > HALF],
        ),
        ("Stuff that does not stay", [row for row in shares if row.high < HALF]),
        ("Undecided", [row for row in shares if row.low <= HALF <= row.high]),
    ):
        if part:
            sentences.append(f"{title}: {', '.join(f'{row.source} {_share(row)}' for row in part)}.")
    return sentences


def _flows(rows: Sequence[Transition], kinds: Sequence[str]) -> list[str]:
    """Name the largest flows from one object class to another."""
    flows = mapped(rows, kinds)[:LISTED]
    if not flows:
        return ["No object class turns into another on as much as 0.2 % of the picture."]
    listed = ", ".join(f"{row.source} to {row.target} {_share(row)}" for row in flows)
    return [f"Largest flows between object classes, by the share of the first class: {listed}."]


def _share(row: Transition) -> str:
    return f"{row.of_source:.2f} [{row.low:.2f}, {row.high:.2f}]"


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")


def _plain(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")
