"""Define what is recorded of an edit in manipulate.json, and shown on its page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ..runs.session import Finished
from ..storage.json_values import JsonObject
from .directions import BoundarySource
from .request import JITTER, EditRequest
from .sources import Source
from .steps import Strip

FORMAT = 1


@dataclass(frozen=True)
class EditRecord:
    """Hold an edit with everything that decides it and is not in the config.

    Attributes:
        request: as it was asked for.
        source: the pictures.
        boundaries: where the boundaries are from.
        strips: parts and distances of each series.
        unit: of distances.
        unit_length: its length, in w or s.
        styles: whether style channels are moved, so that lengths are those of s.
        fingerprint: of the generator.
        truncation: factor on the distance of the edited codes from their mean; 1 leaves them.
    """

    request: EditRequest
    source: Source
    boundaries: BoundarySource
    strips: Sequence[Strip]
    unit: Literal["sd", "raw"]
    unit_length: float
    styles: bool
    fingerprint: str
    truncation: float = 1.0

    @property
    def noise_sd(self) -> float | None:
        """Standard deviation of the noise; None where the mode adds none."""
        if self.request.mode != "jitter":
            return None
        return JITTER if self.request.noise_sd is None else self.request.noise_sd

    def as_data(self, finished: Finished) -> JsonObject:
        """Return the content of manipulate.json: everything that decides the pictures."""
        run, prepared = finished.run, finished.engine.prepared
        card, request = prepared.generator.card, self.request
        config = run.config.as_data()
        return {
            "format": FORMAT,
            "asked": {
                "along": list(request.along),
                "keep": list(request.keep),
                "mode": request.mode,
                "steps": self.strips[0].distances.shape[1],
                "search": request.search,
                "noise_sd": self.noise_sd,
                "scores": request.scores,
                "as": list(request.kinds),
                "fps": request.fps,
            },
            "codes": self.source.origin.as_data(),
            "boundaries": {"from": self.boundaries.name, "sha256": self.boundaries.sha256},
            "unit": {"name": self.unit, "in_s" if self.styles else "in_w": self.unit_length},
            "strips": [strip.as_data() for strip in self.strips],
            "generator": {"family": card.family, "source": card.source, "fingerprint": self.fingerprint},
            "checkpoints": run.record.checkpoints,
            "stands_on": {"learn": run.keys.stages["learn"]},
            "config": {key: config[key] for key in ("generator", "scorers", "synthesis")}
            | {"scale": run.config.editing.scale},
            "batch_size": prepared.batch,
            **finished.as_data(),
        }
