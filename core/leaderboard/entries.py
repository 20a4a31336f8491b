"""Read which learners are compared, and which concepts are judged by several scorers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from yaml import YAMLError

from ..config.parsing import parse_yaml
from ..errors import UserError, nearest
from ..messages import visible


class Entry(NamedTuple):
    """Represent a learner with its options; the label names it in tables."""

    label: str
    use: str
    options: dict[str, Any]


def parse_learners(texts: Sequence[str]) -> list[Entry]:
    """Parse learners from `name` or `name:{option: value}`.

    Raises:
        UserError: there is none, one is given twice, or its options are no mapping.

    >>> [entry.label for entry in parse_learners(["ridge", "ridge:{alpha: 1000}"])]
    ['ridge', 'ridge, alpha: 1000']
    >>> parse_learners(["sklearn:{estimator: sklearn.linear_model:SGDClassifier}"])[0].label
    'sklearn, estimator: SGDClassifier'
    >>> parse_learners(["assessor:{scorer: {use: hue, with: {soft: true}}, concepts: [red, blue]}"])[0].label
    'assessor, scorer: hue, concepts: red blue'
    """
    if not texts:
        raise UserError("no learner is given; give one or more, such as linear_svm ridge sefa")
    entries: dict[str, Entry] = {}
    for text in texts:
        use, _, written = text.partition(":")
        try:
            options = parse_yaml(written) if written.strip() else {}
        except YAMLError:
            options = None
        if not isinstance(options, dict) or not use:
            raise UserError(
                f"learner '{visible(text)}': options are written as name:{{option: value}}, "
                'such as "ridge:{alpha: 1000}"'
            )
        shown = [f"{key}: {_in_words(value)}" for key, value in options.items()]
        entry = Entry(visible(", ".join([use, *shown])), use, options)
        if entry.label in entries:
            raise UserError(f"learner '{visible(text)}' is given twice")
        entries[entry.label] = entry
    return list(entries.values())


def _in_words(value: object) -> str:
    """Return the value of an option in few words: of a plugin its name, of a dotted path that at its end."""
    if isinstance(value, dict) and "use" in value:
        return str(value["use"])
    if isinstance(value, list):
        return " ".join(map(_in_words, value))
    return str(value).rpartition(":")[2] if isinstance(value, str) else str(value)


def require_known(baseline: str | None, labels: Sequence[str]) -> None:
    """Require that the baseline, if one is named, is among the learners.

    Raises:
        UserError: it is not.
    """
    if baseline is not None and baseline not in labels:
        raise UserError(
            f"baseline '{visible(baseline)}' is not one of the learners that are compared."
            f"{nearest(baseline, labels)} They are {', '.join(labels)}"
        )


def parse_judges(texts: Sequence[str], known: Sequence[str]) -> list[tuple[str, ...]]:
    """Parse groups of concepts that mean the same by several scorers, from `a/wood,b/wood`.

    Args:
        texts: a group each; its first concept is the one that learners learn.
        known: names of all concepts.

    Raises:
        UserError: a group has fewer than two concepts, or one is unknown or named twice.

    >>> parse_judges(["a/red,b/red"], ["a/red", "b/red", "b/blue"])
    [('a/red', 'b/red')]
    """
    groups = [tuple(name.strip() for name in text.split(",")) for text in texts]
    seen: set[str] = set()
    for text, group in zip(texts, groups, strict=True):
        if len(group) < 2:
            raise UserError(f"judges '{visible(text)}': name two or more concepts, such as a/wood,b/wood")
        for name in group:
            if name not in known:
                raise UserError(
                    f"judges '{visible(text)}': no scorer has '{visible(name)}'.{nearest(name, known)}"
                )
            if name in seen:
                raise UserError(f"judges '{visible(text)}': '{name}' is named twice")
            seen.add(name)
    return groups
