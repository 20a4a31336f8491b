"""The generators that the papers published, as facts: nothing is downloaded and no link is tried."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

from ..errors import UserError, nearest

FILE = Path(__file__).with_name("zoo.json")


@dataclass(frozen=True)
class Published:
    """A published generator.

    Attributes:
        name: in HiGAN's list, or the file's.
        family, plugin: what it is, and which of our plugins reads it.
        resolution: width and height in pixels.
        data: what it was trained on.
        classes: how many it is conditioned on.
        latent_size: numbers in a latent code.
        psi, psi_layers: truncation that its authors use, and on how many layers (all if None); psi is
            None where there is none.
        publisher, page: who published it, and where it is described.
        url: where the file was offered.
        file: its name there.
        container: how it is stored.
        licence: of the weights, if known.
        pool: `HiGAN` for the 53 of that repository.
        listed: another page that links to it.
        link_dead: whether the link is known to be dead; None if nothing is known.
        evidence: for that.
        note: what else one should know.
        unverified: facts above that were not checked against a source.
    """

    name: str
    family: str
    plugin: str
    resolution: int
    data: str
    publisher: str
    page: str
    url: str
    container: str
    latent_size: int
    classes: int = 0
    psi: float | None = None
    psi_layers: int | None = None
    file: str | None = None
    licence: str | None = None
    pool: str | None = None
    listed: str | None = None
    link_dead: bool | None = None
    evidence: str = ""
    note: str = ""
    unverified: tuple[str, ...] = ()

    @property
    def truncation(self) -> str:
        """The authors' truncation in words."""
        if self.psi is None or self.psi == 1.0:
            return "none"
        return f"psi {self.psi:g} on {self.psi_layers if self.psi_layers is not None else 'all'} layers"

    @property
    def link(self) -> str:
        """`dead`, `alive` or `unknown`."""
        return {True: "dead", False: "alive", None: "unknown"}[self.link_dead]


@cache
def published() -> tuple[Published, ...]:
    """All of them, by family as in the file."""
    known = {field.name for field in fields(Published)}
    found = []
    for group in json.loads(FILE.read_text(encoding="utf-8"))["groups"]:
        shared = {key: value for key, value in group.items() if key in known}
        for model in group["models"]:
            facts = {**shared, **model}
            found.append(Published(**{**facts, "unverified": tuple(facts.get("unverified", ()))}))
    return tuple(found)


def find(
    pattern: str | None = None, *, family: str | None = None, dead: bool | None = None
) -> Sequence[Published]:
    """Those that a pattern, a family and the state of the link leave.

    Args:
        pattern: part of the name, or a pattern with * and ?; any case.
        family: of published(), any case.
        dead: True for links that are known to be dead, False for the others, None for all.

    Raises:
        UserError: no such family, or no such name.
    """
    found = published()
    if family is not None:
        families = sorted({model.family for model in found})
        if family.lower() not in [name.lower() for name in families]:
            raise UserError(
                f"no published models of a family '{family}'.{nearest(family, families)} Families: {', '.join(families)}"
            )
        found = tuple(model for model in found if model.family.lower() == family.lower())
    if pattern is not None:
        wanted = pattern.lower() if set(pattern) & set("*?[") else f"*{pattern.lower()}*"
        named = tuple(model for model in found if fnmatchcase(model.name.lower(), wanted))
        if not named:
            raise UserError(
                f"no published model is called '{pattern}'.{nearest(pattern, [model.name for model in found])}"
            )
        found = named
    return [model for model in found if dead is None or (model.link_dead is True) == dead]
