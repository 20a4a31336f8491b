"""Say how a file would spell the names of the tensors that it lacks."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import product

from ....core.errors import CheckpointError
from ....core.messages import visible
from .layouts import MAX_TENSORS, Layout, Translated
from .patterns import SLOT, templates
from .sizes import AboutTensor

SLOTS = 2  # numbers in a name that are varied
SMALL = 20  # numbers below this are tried, beside those that occur
TRIES = 40_000  # names that are tried
SPELLED = 50  # missing tensors whose names in the file are looked for


@contextmanager
def as_stored(layout: Layout, translated: Translated) -> Iterator[None]:
    """Name the tensor that an error is about as the file does, or would.

    Raises:
        CheckpointError: instead of AboutTensor.
    """
    try:
        yield
    except AboutTensor as error:
        (name,) = (
            [translated.origin[error.name]]
            if error.name in translated.origin
            else in_file([error.name], layout, translated)
        )
        raise CheckpointError(error.words.replace("{name}", visible(name))) from None


def in_file(missing: Sequence[str], layout: Layout, translated: Translated) -> tuple[str, ...]:
    """Return the names of missing tensors as the file would spell them, beside the names used here."""
    if not missing:
        return ()
    found = spelled(layout, missing[:SPELLED], [*translated.origin.values(), *translated.unknown])
    return tuple(
        f"{found[name]} (here {name})" if found.get(name, name) != name else name for name in missing
    )


def spelled(layout: Layout, names: Iterable[str], stored: Iterable[str]) -> dict[str, str]:
    """Return, for names used here, the names under which a layout stores their tensors.

    Rules cannot be read backwards. So all names that their patterns match are tried, with the numbers of the
    file and small ones. Of several that stand for a wanted name, the one most like names in the file counts.
    Names that are found in no way are left out.

    Args:
        layout: of the file.
        names: those wanted, of a network of this layout.
        stored: names in the file.
    """
    wanted, stored = set(names), list(stored)[:MAX_TENSORS]
    scopes = _scopes({} if layout.renamed is None else layout.renamed(stored))
    present, likeness = set(stored), _Likeness(stored)
    best: dict[str, tuple[tuple[int, ...], str]] = {}
    for candidate, name in _candidates(layout, wanted, stored):
        raw = next(
            (own + candidate[len(scope) :] for scope, own in scopes.items() if candidate.startswith(scope)),
            candidate,
        )
        if raw in present:
            continue
        score = likeness.of(raw)
        if name not in best or score > best[name][0]:
            best[name] = score, raw
    return {name: raw for name, (_, raw) in best.items()}


class _Likeness:
    """Say how much a name looks like those of a file."""

    def __init__(self, stored: Sequence[str]) -> None:
        self.beginnings = {start for name in stored for start in _beginnings(name)}
        self.variants = {_variant(name) for name in stored}
        self.endings = {_ending(name) for name in stored}
        self.modules = Counter(_module(name) for name in stored)
        self.parts = Counter(_kind(re.split("[./]", name)[-1]) for name in stored)

    def of(self, name: str) -> tuple[int, ...]:
        """Return a score to compare, the most telling number first.

        How many first parts occur together, whether the name occurs with another number, and its last two
        parts, how many names have all parts but the last, and how many the last one.
        """
        return (
            sum(start in self.beginnings for start in _beginnings(name)),
            _variant(name) in self.variants,
            _ending(name) in self.endings,
            self.modules[_module(name)],
            self.parts[_kind(re.split("[./]", name)[-1])],
        )


def _candidates(layout: Layout, wanted: set[str], stored: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield names that may be stored, each with a wanted name that the layout gives it."""
    occurring = dict.fromkeys(number for name in stored for number in re.findall(r"\d+", name))
    numbers = [*occurring, *(str(i) for i in range(SMALL) if str(i) not in occurring)]
    kinds, tries = {_kind(name) for name in wanted}, 0
    for rule in layout.rules:
        for template in () if rule.name is None else templates(rule.pattern):
            slots = sorted(set(SLOT.findall(template)))
            if len(slots) > SLOTS or not _may_give(layout, template, kinds, numbers):
                continue
            for combination in product(numbers, repeat=len(slots)):
                tries += 1
                if tries > TRIES:
                    return
                candidate = _filled(template, slots, combination)
                yield from ((candidate, name) for name in layout.meanings(candidate) if name in wanted)


def _may_give(layout: Layout, template: str, kinds: set[str], numbers: Sequence[str]) -> bool:
    """Return whether a template gives a name that differs from a wanted one in its numbers alone.

    True where a number must be a special one, so that nothing can be said.
    """
    slots = sorted(set(SLOT.findall(template)))
    names = [
        name
        for number in numbers[:3]
        for name in layout.meanings(_filled(template, slots, [number] * len(slots)))
    ]
    return not names or any(_kind(name) in kinds for name in names)


def _filled(template: str, slots: Sequence[str], numbers: Sequence[str]) -> str:
    for slot, number in zip(slots, numbers, strict=True):
        template = template.replace(slot, number)
    return template


def _kind(name: str) -> str:
    return re.sub(r"\d+", "#", name)


def _beginnings(name: str) -> list[str]:
    """Return the name up to each dot or slash.

    >>> _beginnings("4x4/Conv/bias")
    ['4x4/', '4x4/Conv/']
    """
    return [name[: match.end()] for match in re.finditer("[./]", name)]


def _module(name: str) -> str:
    """Return the name without its last part.

    >>> _module("16x16/Conv1/weight"), _module("feat_8.3.running_mean"), _module("w_avg")
    ('16x16/Conv1/', 'feat_8.3.', '')
    """
    return name[: 1 + max(name.rfind("."), name.rfind("/"))]


def _variant(name: str) -> str:
    """Return the name without its first number, and without others that equal it.

    >>> _variant("16x16/Conv1/weight")
    '#x#/Conv1/weight'
    """
    first = re.search(r"\d+", name)
    return name if first is None else re.sub(rf"(?<!\d){first[0]}(?!\d)", "#", name)


def _ending(name: str) -> str:
    """Return the last two parts of a name, without numbers.

    >>> _ending("blocks.0.bn1.stored_mean")
    'bn#.stored_mean'
    """
    return ".".join(re.split("[./]", _kind(name))[-2:])


def _scopes(renamed: Mapping[str, str]) -> dict[str, str]:
    """Return, for scopes of names that the rules match, the scopes of the stored names.

    >>> _scopes({"10x6/Conv1/bias": "8x8/Conv1/bias"})
    {'8x8/': '10x6/'}
    """
    scopes = {}
    for stored, name in renamed.items():
        theirs, ours = stored.split("/"), name.split("/")
        if theirs != ours and len(theirs) == len(ours):
            end = 1 + next(i for i, pair in enumerate(zip(theirs, ours, strict=True)) if pair[0] != pair[1])
            scopes["/".join(ours[:end]) + "/"] = "/".join(theirs[:end]) + "/"
    return scopes
