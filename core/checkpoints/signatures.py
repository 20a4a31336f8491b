"""Describe what a checkpoint seems to be when no generator plugin recognises it.

The files in kinds/ list patterns of tensor names of common networks, and the advice on each kind. Only
messages depend on them.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import islice
from typing import Any

from ..messages import listed, quantity, visible
from ..plugins.registry import registry
from . import Checkpoint, Part
from .refused_contents import GIVE

COMPARED = 3_000  # names of a part that are compared with the tables; a whole GAN has some 500
DESCRIBED = 8  # parts that are described
Shapes = Mapping[str, tuple[int, ...]]
CHANNELS = (1, 3, 4)  # of pictures

OWN = {
    "encoder-2": "an encoder of `ganstrata encoder train`: the step `encoder` of `ganstrata invert` reads it",
    "rooms-scenes-1": (
        "the bundled scorer of scenes (rooms.scenes): the scorers `category` and `attribute` read it"
    ),
    "rooms-surfaces-1": (
        "the bundled scorer of surfaces (rooms.surfaces): the scorers `layout` and `segmentation` read it"
    ),
}


@dataclass(frozen=True)
class Advice:
    """Represent what to do with files of some kinds.

    Attributes:
        words: what follows the description; `{give}` is replaced by which file to give.
        plugin: generator plugin without which the words are left out; empty if they need none.
    """

    words: str
    plugin: str = ""


@dataclass(frozen=True)
class Signature:
    """Represent the tensor names by which a kind of network is recognised.

    Attributes:
        words: description of the network; `{n}` is replaced by the number of its classes.
        every: regular expressions, each of which must match in some name; `<` stands for the beginning of a
            name or the dot before a component of it.
        absent: regular expressions that must match in no name.
        counted: regular expression for the tensor whose first dimension is the number of classes.
        advice: what to do with such a file.
        familiar: whether a piece of the network, under a prefix, looks like a generator that is supported.
    """

    words: str
    every: tuple[str, ...]
    absent: tuple[str, ...] = ()
    counted: str = ""
    advice: Advice = Advice("")
    familiar: bool = False

    def fits(self, names: str) -> bool:
        """Return whether tensor names, one per line, match the signature."""
        return all(_search(pattern, names) for pattern in self.every) and not any(
            _search(pattern, names) for pattern in self.absent
        )

    def classes(self, shapes: Shapes) -> int | None:
        """Return the number of classes; None if it is unknown."""
        sizes = [
            shape[0]
            for name, shape in shapes.items()
            if shape and self.counted and _search(self.counted, name)
        ]
        return sizes[-1] if sizes else None

    def describe(self, shapes: Shapes) -> str:
        """Return the description with `{n}` filled in, and the data set if the classes show it."""
        count = self.classes(shapes)
        if count is None:
            return self.words.replace("{n}", "an unknown number of classes")
        dataset = f" ({DATASETS[count]})" if count in DATASETS else ""
        return self.words.replace("{n}", quantity(count, "class", "classes")) + dataset


def _content(name: str) -> dict[str, Any]:
    """Return the content of kinds/NAME.toml."""
    return tomllib.loads((files(__package__) / "kinds" / f"{name}.toml").read_text(encoding="utf-8"))


TABLES = ("relatives", "generators", "others")
_ADVICE = _content("advice")
DATASETS = {int(count): name for count, name in _ADVICE["datasets"].items()}
ADVICE = {name: Advice(**row) for name, row in _ADVICE["advice"].items()}


@cache
def tables() -> Mapping[str, tuple[Signature, ...]]:
    """Return the signatures of all kinds, table -> rows.

    >>> sorted(tables()), all(rows for rows in tables().values())
    (['generators', 'others', 'plain', 'relatives'], True)
    """
    return {
        name: tuple(signature_of(**row) for row in rows)
        for table in TABLES
        for name, rows in _content(table)["signatures"].items()
    }


def signature_of(
    words: str, every: list[str], absent: Sequence[str] = (), advice: str = "", **more: Any
) -> Signature:
    """Return the signature of a row.

    Raises:
        ValueError: there is no such advice; the message lists what there is.
    """
    if advice and advice not in ADVICE:
        raise ValueError(
            f"kinds: advice '{advice}' of '{words}' is not in the table; use {', '.join(ADVICE)}"
        )
    return Signature(
        words, tuple(every), tuple(absent), advice=ADVICE[advice] if advice else Advice(""), **more
    )


def describe(checkpoint: Checkpoint) -> str:
    """Return a description of what a file seems to be, part by part, for messages."""
    parts_of: dict[str, list[str]] = {}
    for part in checkpoint.parts[:DESCRIBED]:
        parts_of.setdefault(describe_part(part), []).append(part.name)
    notes = "".join(f"; {note}" for note in checkpoint.notes)
    if len(parts_of) == 1:
        return next(iter(parts_of)) + notes
    kinds = islice(parts_of.items(), 5)
    return (
        "; ".join(
            f"its part{'s' * (len(names) > 1)} {listed(name or 'without a name' for name in names)}: {words}"
            for words, names in kinds
        )
        + notes
    )


def out_of_reach(part: Part) -> Signature | None:
    """Return the family of a part that is not supported although a piece of it looks like one that is."""
    names = _names(part)
    return next((known for known in tables()["relatives"] if known.familiar and known.fits(names)), None)


def describe_part(part: Part) -> str:
    """Return a description of what one part seems to be, judged by its settings and tensor names."""
    architecture = part.settings.get("architecture")
    if isinstance(architecture, str) and architecture in OWN:
        return f"it is {OWN[architecture]}"
    if isinstance(part.settings.get("plugin"), str):
        return (
            f"it was converted for the generator plugin '{visible(part.settings['plugin'])}', "
            "which is not installed or no longer knows it"
        )
    names = _names(part)
    for signature in tables()["relatives"]:
        if signature.fits(names):
            return f"it seems to be {signature.words}{_way_out(signature)}"
    families = mixture(part)
    if len(families) > 1:
        return f"it mixes tensors of several generators: {', '.join(families[:-1])} and {families[-1]}"
    if families:
        return f"it has tensors of a {families[0]} generator, but not all of them: {_examples(part)}"
    for signature in tables()["others"]:
        if signature.fits(names):
            return f"it seems to be {signature.describe(part.shapes)}{_way_out(signature)}"
    taker = _taker_of_pictures(part.shapes)
    if taker:
        return taker
    (plain,) = tables()["plain"]
    kind = f"it seems to be {plain.words}: " if plain.fits(names) else ""
    name = part.settings.get("class_name")
    class_name = f"; its class is {visible(name)}" if isinstance(name, str) and name else ""
    return kind + _examples(part) + class_name + (_way_out(plain) if names else "")


def _taker_of_pictures(shapes: Shapes) -> str:
    """Return what a network seems to be whose first weights take pictures and whose last give numbers.

    Its names say nothing. Empty for other networks, such as those that give pictures.
    """
    weights = [shape for shape in shapes.values() if len(shape) > 1]
    if not weights or len(weights[0]) != 4 or weights[0][1] not in CHANNELS or max(weights[0][2:]) < 2:
        return ""
    last = weights[-1]
    if last[0] == 1:
        return f"it seems to be a discriminator: it makes one number of a picture: {GIVE}"
    if len(last) != 2:
        return ""
    return (
        f"it seems to be a classifier of {last[0]} classes, or an encoder: it makes "
        f"{quantity(last[0], 'number')} of a picture{ADVICE['scorer'].words}"
    )


def _way_out(signature: Signature) -> str:
    """Return what to do with a file of this kind; empty without the plugin that it takes."""
    advice = signature.advice
    if advice.plugin and not any(info.name == advice.plugin for info in registry().infos("generator")):
        return ""
    return advice.words.replace("{give}", GIVE)


def mixture(part: Part) -> list[str]:
    """Return the generator families whose tensor names occur in a part; more than one is a fault."""
    names = _names(part)
    return [signature.words for signature in tables()["generators"] if signature.fits(names)]


def _names(part: Part) -> str:
    """Return the first `COMPARED` tensor names of a part, one per line."""
    return "\n".join(islice(part.tensors, COMPARED))


def _examples(part: Part) -> str:
    count = len(part.tensors)
    if not count:
        return "it holds no tensors"
    first = ", ".join(visible(name) for name in islice(part.tensors, 4))
    return f"its {count} tensor{'s are' if count > 1 else ' is'} called {first}{' ...' if count > 4 else ''}"


def _search(pattern: str, names: str) -> re.Match[str] | None:
    return re.search(pattern.replace("<", r"(?:^|\.)"), names, re.MULTILINE)
