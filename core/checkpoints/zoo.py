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
        sha256, sha256_from: SHA-256 of the file, and the pages that state it.
        mirror: a copy elsewhere, as `checkpoint:` takes it.
        checked: date on which the facts were last compared with public pages.
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
    sha256: str | None = None
    sha256_from: str | None = None
    mirror: str | None = None
    checked: str = ""
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

    @property
    def checkpoint(self) -> str | None:
        """What `checkpoint:` of a config takes to fetch the file; None if it has to be downloaded by hand.

        The publisher's address if the hash of the file is known, else the mirror.
        """
        if self.sha256 is not None and self.link_dead is not True:
            return f"{self.url}#sha256={self.sha256}"
        return self.mirror

    @property
    def path(self) -> str:
        """A path for a file that is downloaded by hand: its own name, or one made from the model's."""
        return self.file or f"{self.name}.pkl"


@cache
def published() -> tuple[Published, ...]:
    """Return all published generators, grouped by family in the order of zoo.json."""
    known = {field.name for field in fields(Published)}
    models = []
    stored = json.loads(FILE.read_text(encoding="utf-8"))
    for group in stored["groups"]:
        shared = {"checked": stored["checked"], **{key: group[key] for key in group if key in known}}
        for model in group["models"]:
            facts = {**shared, **model}
            models.append(Published(**{**facts, "unverified": tuple(facts.get("unverified", ()))}))
    return tuple(models)


def named(name: str) -> Published | None:
    """Return the published generator of exactly this name; case does not matter. None if there is none.

    Example:
        >>> named("stylegan2_church").resolution
        256
    """
    return next((model for model in published() if model.name.lower() == name.lower()), None)


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
        matching = tuple(model for model in models if fnmatchcase(model.name.lower(), glob))
        if not matching:
            raise UserError(
                f"no published model is called '{pattern}'."
                f"{nearest(pattern, [model.name for model in models])}"
            )
        models = matching
    return [model for model in models if dead is None or (model.link_dead is True) == dead]
