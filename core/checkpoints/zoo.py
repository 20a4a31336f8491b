"""List the generators that papers have published. Nothing is downloaded, and no link is tried."""

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
    """Describe a published generator.

    Attributes:
        name: name in HiGAN's list, or of the file.
        family, plugin: family, and the ganstrata plugin that reads it.
        resolution: width and height in pixels.
        data: training data.
        classes: number of classes that it is conditioned on; 0 if it is unconditional.
        latent_size: elements of a latent code.
        psi, psi_layers: truncation that its authors use, and the number of layers it applies to (None: all);
            psi is None if they use none.
        publisher, page: who published it, and the page that describes it.
        url: address of the file.
        file: name of the file at that address.
        container: storage format.
        licence: licence of the weights, if known.
        pool: `HiGAN` for the 53 generators of that repository.
        listed: another page that links to it.
        link_dead: whether the link is known to be dead; None if unknown.
        evidence: evidence for `link_dead`.
        note: further remarks.
        unverified: names of fields above that were not checked against a source.
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
        """Truncation that the authors use, in words."""
        if self.psi is None or self.psi == 1.0:
            return "none"
        return f"psi {self.psi:g} on {self.psi_layers if self.psi_layers is not None else 'all'} layers"

    @property
    def link(self) -> str:
        """State of the link: `dead`, `alive` or `unknown`."""
        return {True: "dead", False: "alive", None: "unknown"}[self.link_dead]


@cache
def published() -> tuple[Published, ...]:
    """Return all published generators, grouped by family in the order of zoo.json."""
    known = {field.name for field in fields(Published)}
    models = []
    for group in json.loads(FILE.read_text(encoding="utf-8"))["groups"]:
        shared = {key: value for key, value in group.items() if key in known}
        for model in group["models"]:
            facts = {**shared, **model}
            models.append(Published(**{**facts, "unverified": tuple(facts.get("unverified", ()))}))
    return tuple(models)


def find(
    pattern: str | None = None, *, family: str | None = None, dead: bool | None = None
) -> Sequence[Published]:
    """Return the published generators that match all given criteria.

    Args:
        pattern: part of the name, or a pattern with * and ?; case does not matter.
        family: one of the families in `published()`; case does not matter.
        dead: True for links that are known to be dead, False for the others, None for all.

    Raises:
        UserError: there is no such family, or no such name.
    """
    models = published()
    if family is not None:
        families = sorted({model.family for model in models})
        if family.lower() not in [name.lower() for name in families]:
            raise UserError(
                f"no published models of a family '{family}'.{nearest(family, families)} "
                f"Families: {', '.join(families)}"
            )
        models = tuple(model for model in models if model.family.lower() == family.lower())
    if pattern is not None:
        glob = pattern.lower() if set(pattern) & set("*?[") else f"*{pattern.lower()}*"
        named = tuple(model for model in models if fnmatchcase(model.name.lower(), glob))
        if not named:
            raise UserError(
                f"no published model is called '{pattern}'."
                f"{nearest(pattern, [model.name for model in models])}"
            )
        models = named
    return [model for model in models if dead is None or (model.link_dead is True) == dead]
