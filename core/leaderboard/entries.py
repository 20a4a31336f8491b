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
        # Of a dotted path, the name at its end says enough.
        shown = [f"{key}: {str(value).rpartition(':')[2]}" for key, value in options.items()]
        entry = Entry(visible(", ".join([use, *shown])), use, options)
        if entry.label in entries:
            raise UserError(f"learner '{visible(text)}' is given twice")
        entries[entry.label] = entry
    return list(entries.values())


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
