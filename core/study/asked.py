"""Say in words what a study asks about each boundary."""

from __future__ import annotations

from dataclasses import dataclass

from ..rescoring.results import Effects


@dataclass(frozen=True)
class Asked:
    """Hold what a study asks about a boundary: the words of the page, and the level of their concept."""

    words: str
    level: str


def plain_words(name: str) -> str:
    """Return what the page calls a boundary: its concept in words, without the scorer.

    >>> plain_words("category/bedroom-vs-living_room"), plain_words("a/far_horizon|a/clouds")
    ('bedroom rather than living room', 'far horizon')
    """
    concept = name.split("|", 1)[0].split("/", 1)[-1]
    return " ".join(concept.replace("-vs-", " rather than ").replace("_", " ").split())


def default_words(effects: Effects) -> dict[str, Asked]:
    """Return what a study asks about each boundary, by name.

    Of a boundary that was learnt from labels that is its concept. Of a direction found without labels it is
    the concept that it moves most beyond chance, "less ..." if it moves it down; one without a meaning is
    left out, because raters could not be told what to look for.
    """
    levels = {concept.id: concept.level for concept in effects.concepts}
    asked = {b.name: Asked(plain_words(b.name), b.level) for b in effects.boundaries if not b.direction}
    for direction in effects.directions():
        if direction.moves:
            most = direction.moves[0]
            less = "less " if most.in_sd < 0.0 else ""
            asked[direction.direction] = Asked(less + plain_words(most.concept), levels[most.concept])
    for boundary in effects.boundaries:
        if boundary.direction and boundary.given and boundary.direction in asked:
            asked[boundary.name] = asked[boundary.direction]
    return asked
