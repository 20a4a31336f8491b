"""Keys: one digest for everything that what is stored under it was computed from.

Every stage's key is made of the key of the stage before it and of what the stage reads besides. Two
results with one key are the same bytes on one machine; a result whose key is another is made again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...config.schema import RunConfig
from .records import Provenance, Record, digest

STAGES = ("synthesize", "learn", "rescore", "edit", "report")

READ_BY = {
    "generator": "synthesize",
    "scorers": "synthesize",
    "synthesis": "synthesize",
    "device": "synthesize",
    "precision": "synthesize",
    "concepts": "learn",
    "boundary": "learn",
    "conditions": "learn",
    "rescoring": "learn",  # its null of permuted scores, and what resampled samples give, are learnt with the boundaries
    "editing": "edit",
    "report": "report",
}
"""Sections of the config, and the first stage that reads all of each. `engine` changes no result and is read by none."""

RECORDED = (
    "generator",
    "scorers",
    "boundary",
    "device",
    "precision",
)  # sections whose record in the provenance says more than their text


class Keys(Record):
    """The keys of a run.

    Attributes:
        latents: of w, codes and conditions, and of the pictures that they make.
        scores: of each scorer's scores of these pictures, by alias, in the order of the columns.
        stages: of what each stage writes.
    """

    latents: str
    scores: dict[str, str]
    stages: dict[str, str]


def keys_of(config: RunConfig, provenance: Provenance, layers: Mapping[str, Any]) -> Keys:
    """The keys of a run of this config.

    Args:
        config: of the run.
        provenance: of its plugins, and its numeric environment.
        layers: layer sets and groups as they were resolved, in their order.
    """
    sections = config.model_dump(mode="json", by_alias=True)
    latents = digest(
        [provenance.environment.model_dump(), provenance.generator.model_dump(), sections["synthesis"]]
    )
    scores = {alias: digest([latents, scorer.model_dump()]) for alias, scorer in provenance.scorers.items()}
    further: dict[str, Any] = {
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
