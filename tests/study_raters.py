"""A study that was never rendered, and people with known preferences who vote on it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from ganstrata.core.study.key import Key, Question, shuffled
from ganstrata.core.study.votes import FORMAT
from numpy.typing import NDArray

GROUPS = {"bottom": (0, 1), "lower": (2, 3), "upper": (4, 5), "top": (6, 7)}
CONCEPTS = {
    "a/line": "layout",
    "b/bed": "category",
    "b/sofa": "category",
    "c/wood": "attribute",
    "d/red": "colour",
}
CHOICES = [*GROUPS, "none"]


def make_key(strips: int = 3, seed: int = 0) -> Key:
    rng = np.random.default_rng(seed)
    rows = [
        (concept, level, order)
        for concept, level in CONCEPTS.items()
        for order in shuffled(tuple(GROUPS), strips, rng)
    ]
    questions = [
        Question(f"{i:012x}", concept, level, concept.split("/")[1], 100 + i, order)
        for i, (concept, level, order) in enumerate(rows, start=1)
    ]
    return Key("abcdefabcdef", seed, "some run", "f" * 16, GROUPS, (-3.0, 0.0, 3.0), tuple(questions))


def ballot(key: Key, choices: list[str], rater: int, **changes: Any) -> dict[str, Any]:
    """What the page saves; `choices` names a group, `none`, or nothing for each question."""
    votes = [
        {"question": question.id, "choice": choice if choice == "none" else question.order.index(choice)}
        for question, choice in zip(key.questions, choices, strict=True)
        if choice
    ]
    return {
        "format": FORMAT,
        "study": key.study,
        "rater": f"{rater:016x}",
        "saved": "2026-11-21T10:00:00.000Z",
        "votes": votes,
    } | changes


def put(path: Path, content: object) -> Path:
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def softmax(x: NDArray[np.float64]) -> NDArray[np.float64]:
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return np.asarray(e / e.sum(axis=-1, keepdims=True))


def vote(
    preference: NDArray[np.float64],
    raters: int,
    strips: int,
    rng: np.random.Generator,
    *,
    taste: float,
    luck: float,
) -> NDArray[np.int64]:
    """Choices (R, Q): all lean to `preference` (C,), raters have tastes of their own, and strips differ."""
    count = len(preference)
    p = softmax(
        preference
        + taste * rng.standard_normal((raters, 1, count))
        + luck * rng.standard_normal((1, strips, count))
    )
    return np.asarray((rng.random((raters, strips, 1)) > p.cumsum(axis=-1)).sum(axis=-1).clip(0, count - 1))


def expected(preference: NDArray[np.float64], *, taste: float, luck: float) -> NDArray[np.float64]:
    """The share of each choice over all raters and strips there could be."""
    rng = np.random.default_rng(99)
    shape = (200_000, len(preference))
    return np.asarray(
        softmax(preference + taste * rng.standard_normal(shape) + luck * rng.standard_normal(shape)).mean(
            axis=0
        )
    )
