"""Collect the facts that the manifest records about a run and its plugins."""

from __future__ import annotations

from dataclasses import asdict

from .manifest import GeneratorRecord, RunFacts
from .prepare import Prepared
from .provenance.describe import describe
from .provenance.keys import keys_of


def facts_of(prepared: Prepared) -> RunFacts:
    """Return the facts of run.json: plugins, checkpoints, device, sizes, provenance and keys."""
    provenance = describe(prepared)
    resolved = {"sets": [[name, list(layers)] for name, layers in prepared.sets.items()]}
    resolved |= {"groups": [[name, list(layers)] for name, layers in prepared.groups.items()]}
    plugins = [
        record
        for plugin in (provenance.generator, *provenance.scorers.values(), provenance.boundary)
        for record in plugin.all()
    ]
    card = prepared.generator.card
    checkpoints = {"generator": card.sha256, **{alias: s.checkpoint for alias, s in prepared.scorers.items()}}
    return RunFacts(
        generator=GeneratorRecord(
            **asdict(card)
            | {"assumptions": list(card.assumptions)}
            | ({} if card.names_sides else {"height": 0, "width": 0}),
            space=prepared.generator.space,
            fingerprint=prepared.generator.fingerprint,
        ),
        plugins={f"{record.kind} {record.name}": record.distribution for record in plugins},
        checkpoints={name: digest for name, digest in checkpoints.items() if digest},
        batch_size=prepared.batch,
        device=str(prepared.device),
        precision=prepared.precision,
        layer_sets={name: list(layers) for name, layers in prepared.sets.items()},
        groups={name: list(layers) for name, layers in prepared.groups.items()},
        provenance=provenance,
        keys=keys_of(prepared.config, provenance, resolved),
    )
