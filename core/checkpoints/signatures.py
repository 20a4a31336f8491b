"""Describe what a checkpoint seems to be when no generator plugin recognises it.

signatures.toml lists patterns of tensor names of common networks. Only messages depend on them.
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
OWN_CLASS = "own class"
ADVICE = {
    "": "",
    OWN_CLASS: "",  # depends on the plugins that are installed: _own_class()
    "another file": f": {GIVE}",
    "many steps": "; it makes a picture in many steps, which is not supported",
    "part": "; it is a part of a larger model and makes no pictures from codes by itself",
}

BUNDLED = {
    "rooms-scenes-1": (
        "the bundled scorer of scenes (rooms.scenes): the scorers `category` and `attribute` read it"
    ),
    "rooms-surfaces-1": (
        "the bundled scorer of surfaces (rooms.surfaces): the scorers `layout` and `segmentation` read it"
    ),
}


@dataclass(frozen=True)
class Signature:
    """Represent the tensor names by which a kind of network is recognised.

    Attributes:
        words: description of the network; `{n}` is replaced by the number of its classes.
        every: regular expressions, each of which must match in some name; `<` stands for the beginning of a
            name or the dot before a component of it.
        absent: regular expressions that must match in no name.
        counted: regular expression for the tensor whose first dimension is the number of classes.
        advice: what to do with such a file, a key of `ADVICE`.
        familiar: whether a piece of the network, under a prefix, looks like a generator that is supported.
    """

    words: str
    every: tuple[str, ...]
    absent: tuple[str, ...] = ()
    counted: str = ""
    advice: str = ""
    familiar: bool = False

    def fits(self, names: str) -> bool:
        """Return whether tensor names, one per line, match the signature."""
        return all(_search(pattern, names) for pattern in self.every) and not any(
            _search(pattern, names) for pattern in self.absent
        )

    def describe(self, shapes: Shapes) -> str:
        """Return the description with `{n}` filled in."""
        sizes = [
            shape[0]
            for name, shape in shapes.items()
            if shape and self.counted and _search(self.counted, name)
        ]
        return self.words.replace(
            "{n}", quantity(sizes[-1], "class", "classes") if sizes else "an unknown number of classes"
        )


@cache
def tables() -> Mapping[str, tuple[Signature, ...]]:
    """Return the signatures of signatures.toml, table -> rows.

    >>> sorted(tables()), all(rows for rows in tables().values())
    (['generators', 'others', 'plain', 'relatives'], True)
    """
    text = files(__package__).joinpath("signatures.toml").read_text(encoding="utf-8")
    return {name: tuple(_signature(**row) for row in rows) for name, rows in tomllib.loads(text).items()}


def _signature(words: str, every: list[str], absent: Sequence[str] = (), **more: Any) -> Signature:
    """Return the signature of a row."""
    return Signature(words, tuple(every), tuple(absent), **more)


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
    if isinstance(architecture, str) and architecture in BUNDLED:
        return f"it is {BUNDLED[architecture]}"
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
            words = signature.describe(part.shapes)
            return f"it seems to be {words}{_places(signature, part.shapes)}{_way_out(signature)}"
    (plain,) = tables()["plain"]
    kind = f"it seems to be {plain.words}: " if plain.fits(names) else ""
    name = part.settings.get("class_name")
    class_name = f"; its class is {visible(name)}" if isinstance(name, str) and name else ""
    return kind + _examples(part) + class_name + (_way_out(plain) if names else "")


def _way_out(signature: Signature) -> str:
    """Return what to do with a file of this kind."""
    return _own_class() if signature.advice == OWN_CLASS else ADVICE[signature.advice]


def _own_class() -> str:
    """Return the way out for a network whose class the user has; empty without the plugin for it."""
    if not any(info.name == MODULE for info in registry().infos("generator")):
        return ""
    return (
        "; a generator whose class you have is loaded by "
        f"`{{use: {MODULE}, with: {{target: FILE.py:CLASS, checkpoint: FILE, latent: {{size: N}}}}}}` "
        "(docs/own-model.md)"
    )


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


def _places(signature: Signature, shapes: Shapes) -> str:
    """Return the remark on Places365, which is recognised by its 365 classes."""
    return " (Places365)" if signature.counted and signature.describe(shapes).endswith(" 365 classes") else ""


def _search(pattern: str, names: str) -> re.Match[str] | None:
    return re.search(pattern.replace("<", r"(?:^|\.)"), names, re.MULTILINE)
