"""The generator that foreign boundaries are said to belong to: they carry nothing that would tell."""

from __future__ import annotations

from dataclasses import dataclass

from ..runs.loading import load_generator
from ..runs.run import Run
from ..storage.paths import user_path


@dataclass(frozen=True)
class Assumed:
    """What boundaries need to know of a generator: its fingerprint, the space of its codes, L and D, and what it is in words."""

    fingerprint: str
    space: str
    layers: int
    code_size: int
    words: str


def assumed(generator: str) -> Assumed:
    """From a run directory, whose run.json tells, or a checkpoint file or bundled name, which is loaded.

    Raises:
        RunError: a directory that holds no run.
        CheckpointError: a file that is missing, or that no plugin knows.
    """
    path = user_path(generator)
    if path.is_dir():
        card = Run.open(path).record.generator
        return Assumed(
            card.fingerprint, card.space, card.layers, card.code_size, f"{card.family}, {card.source}"
        )
    built = load_generator("auto", checkpoint=generator, device="cpu")
    return Assumed(
        built.fingerprint,
        built.space,
        built.card.layers,
        built.card.code_size,
        f"{built.card.family}, {built.card.source}",
    )
