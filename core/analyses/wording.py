"""Write numbers with their intervals, and layer sets, for sentences and printed tables."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ..decimals import number, significant
from ..plugins.boundary import Boundary
from ..rescoring.results import Effects
from ..statistics import NO_SPREAD, most_unseen, without_spread


def constant_sentences(effects: Effects) -> list[str]:
    """Return a sentence that names the constant concepts, whose changes have no unit, if there are any."""
    names = effects.constant
    if not names:
        return []
    return [f"These concepts do not vary here, so their changes have no unit: {', '.join(names)}."]


def nouns(boundaries: Iterable[Boundary]) -> tuple[str, str]:
    """Return what one and several boundaries are called: concepts, directions found without labels, or both.

    >>> nouns([Boundary("a/x", "colour", np.ones(1), np.zeros(1), "w", "")])
    ('concept', 'concepts')
    """
    kinds = {bool(boundary.direction) for boundary in boundaries}
    if kinds == {True}:
        return "direction", "directions"
    return ("concept or direction", "concepts and directions") if True in kinds else ("concept", "concepts")


def target_of(effects: Effects, name: str) -> str:
    """Return the target of the direction with this name; empty for a boundary that was learnt from labels."""
    return next((b.concept for b in effects.boundaries if b.name == name and b.direction), "")


def named(effects: Effects, name: str) -> str:
    """Return the name of a boundary, with the target of a direction found without labels in brackets."""
    target = target_of(effects, name)
    return f"{name} ({target})" if target else name


def bracketed(value: float, low: float, high: float, digits: int = 2) -> str:
    """Format a number with its interval for a sentence or a printed table.

    An interval that is a point does not show that the number is known: see `point_sentences`.

    >>> bracketed(-0.5, -0.75, float("nan")), bracketed(0.0, 0.0, 0.0)
    ('−0.50 [−0.75, –]', '0.00 [no spread]')
    """
    shown = [
        "–" if np.isnan(v) else f"{round(v, digits) + 0.0:.{digits}f}".replace("-", "−")
        for v in (value, low, high)
    ]
    if np.isnan(value) or (np.isnan(low) and np.isnan(high)):
        return shown[0]
    return f"{shown[0]} [{NO_SPREAD if without_spread(value, low, high) else f'{shown[1]}, {shown[2]}'}]"


def plain(value: float, digits: int = 2) -> str:
    """Format a number for a printed table: NaN as a dash, tiny numbers with one significant digit."""
    return number(value, digits)


def in_words(name: str, effects: Effects) -> str:
    """Name a layer set in a sentence: `all layers`, `the upper layers` or `layers 6-7`."""
    return (
        "all layers"
        if name == "all"
        else f"the {name} layers"
        if name in effects.groups
        else f"layers {name}"
    )


def point_sentences(effects: Effects, shown: Iterable[tuple[str, str]]) -> list[str]:
    """Say of intervals that are points what they do not show, grouped by the number of samples.

    Args:
        effects: effects of the run.
        shown: names of boundaries and layer sets whose effect on the own concept is shown.
    """
    names, sets = effects.boundaries.names, list(effects.sets)
    groups: dict[tuple[int, bool], list[str]] = {}
    for name, set_name in shown:
        i, s = names.index(name), sets.index(set_name)
        at = (i, s, 0, int(effects.own[i]))
        if not effects.reached[i, s]:
            continue
        if effects.count[at] and without_spread(effects.mean[at], effects.low[at], effects.high[at]):
            place = name if set_name == "all" else f"{name} at {in_words(set_name, effects)}"
            groups.setdefault((int(effects.count[at]), bool(effects.mean[at] == 0.0)), []).append(place)
    sentences = []
    for (count, is_zero), places in groups.items():
        seen = f"none of {count} samples changed" if is_zero else f"all {count} samples changed alike"
        sentences.append(
            f"{', '.join(places)}: {seen}, so the interval is a point ({NO_SPREAD}). "
            "This does not mean that the effect is known: "
            f"up to {significant(100.0 * most_unseen(count))} % of all samples may change "
            f"{'' if is_zero else 'otherwise '}without one of these {count} showing it (95 % confidence)."
        )
    return sentences
