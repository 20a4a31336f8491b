"""Compute the keys of a run: a key is the digest of everything that a stored result depends on.

The key of a stage is computed from the key of the stage before it and from what the stage reads besides.
Results with equal keys are equal bytes on one machine; a result whose key has changed is computed again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...config.schema import RunConfig
from ...storage.json_values import JsonValue
from ..stages import STAGES, Stage
from .records import Provenance, Record, digest

READ_BY: dict[str, Stage] = {
    "generator": "synthesize",
    "scorers": "synthesize",
    "synthesis": "synthesize",
    "device": "synthesize",
    "precision": "synthesize",
    "concepts": "learn",
    "boundary": "learn",
    "learning": "learn",
    "conditions": "learn",
    "rescoring": "learn",  # permuted null directions and replicates are learnt with the boundaries
    "editing": "edit",
    "report": "report",
}
"""Section of the config -> first stage that reads it. `engine` changes no result."""

RECORDED = (
    "generator",
    "scorers",
    "boundary",
    "device",
    "precision",
)  # sections that the provenance records in more detail


class Keys(Record):
    """Hold the keys of a run.

    Attributes:
        latents: key of w, codes and conditions, and of their pictures.
        scores: alias -> key of the scorer's scores, in the order of the columns.
        stages: stage -> key of its files.
    """

    latents: str
    scores: dict[str, str]
    stages: dict[str, str]


def keys_of(config: RunConfig, provenance: Provenance, layers: Mapping[str, Any]) -> Keys:
    """Compute the keys of a run.

    Args:
        config: config of the run.
        provenance: provenance of its plugins, and its numeric environment.
        layers: resolved layer sets and groups, in order.
    """
    sections = config.as_data()
    latents = digest(
        [provenance.environment.model_dump(), provenance.generator.model_dump(), sections["synthesis"]]
    )
    scores = {alias: digest([latents, scorer.model_dump()]) for alias, scorer in provenance.scorers.items()}
    further: dict[Stage, list[JsonValue]] = {
        "synthesize": [latents, list(scores.items())],
        "learn": [provenance.boundary.model_dump()],
        "rescore": [list(layers.items())],
    }
    stages: dict[str, str] = {}
    before = ""
    for stage in STAGES:
        read = {
            name: sections[name]
            for name, reader in READ_BY.items()
            if reader == stage and name not in RECORDED
        }
        before = stages[stage] = digest([stage, before, read, further.get(stage)])
    return Keys(latents=latents, scores=scores, stages=stages)
