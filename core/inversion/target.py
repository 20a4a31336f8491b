"""Define the target of an inversion: one given picture, as every step, measure and page needs it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from ..storage.filenames import is_safe_stem

LONGEST = 60  # characters of a picture's own name in those of its files


@dataclass(frozen=True)
class Target:
    """Hold one picture of the user, fitted to the generator.

    Attributes:
        name: stem of the names of its files, different from that of all other pictures of the command.
        source: where it is from: a path as the user wrote it, or words for an array.
        sha256: SHA-256 of the file's bytes, or of the array's.
        picture: (3, H, W) in [0, 1], of the generator's size: the wanted picture, or if it is degraded the
            nearest whole one, such as the given one enlarged.
        observed: (3, h, w) in [0, 1]: what the degraded picture of the generator is compared with; without a
            degradation the same as `picture`.
        known: which pixels of `observed` are known, (1, h, w) in [0, 1]; None for all.
        truth: (3, H, W): what a restored picture ought to be; None if nobody knows.
        facts: size of the file's picture, rule of the crop, and so on, as plain data.
        notes: sentences on what was done to the picture, such as that EXIF had it turned.
    """

    name: str
    source: str
    sha256: str
    picture: Tensor
    observed: Tensor
    known: Tensor | None = None
    truth: Tensor | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def file_stems(stems: Sequence[str]) -> tuple[str, ...]:
    """Return a stem of file names for each picture, different also where case does not count.

    >>> file_stems(["living room", "Ätna.2", "...", "Living.Room", "con"])
    ('living-room', 'tna-2', 'picture-3', 'Living-Room-4', 'con-5')
    """
    names: list[str] = []
    taken: set[str] = set()
    for i, stem in enumerate(stems, start=1):
        plain = re.sub(r"[^A-Za-z0-9_]+", "-", stem)[:LONGEST].strip("-")
        name = plain
        while not name or not is_safe_stem(name) or name.casefold() in taken:
            name = f"{name or 'picture'}-{i}"
        taken.add(name.casefold())
        names.append(name)
    return tuple(names)
