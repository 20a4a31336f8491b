"""Define a plugin that claims the files of another."""

from __future__ import annotations

from collections.abc import Mapping

import ganstrata
from ganstrata import Match


class Rival(ganstrata.Generator):
    """Claims what StyleGAN2 claims, with equal confidence."""

    @classmethod
    def recognise(
        cls, names_and_shapes: Mapping[str, tuple[int, ...]], settings: Mapping[str, object]
    ) -> Match | None:
        return Match(1.0, "mine") if "mapping.fc0.weight" in names_and_shapes else None
