"""Identify the generator that the user names for foreign boundaries, which do not say it themselves."""

from __future__ import annotations

from dataclasses import dataclass

from ..runs.loading import load_generator
from ..runs.run import Run
from ..storage.paths import user_path
from ..strata.styles import style_strata


@dataclass(frozen=True)
class AssumedGenerator:
    """Hold the facts of a generator that boundaries are checked against.

    Attributes:
        fingerprint: fingerprint of the generator.
        space: latent space of its codes.
        layers: number of layers L.
        code_size: code size D.
        words: description for messages.
        styles: name and width of every stratum with a style, where they are known: those of a checkpoint.
    """

    fingerprint: str
    space: str
    layers: int
    code_size: int
    words: str
    styles: tuple[tuple[str, int], ...] = ()


def identify_generator(generator: str) -> AssumedGenerator:
    """Return the facts of a generator.

    Args:
        generator: a run directory, whose run.json has the facts, or a checkpoint or `bundled:NAME`, which is
            loaded.

    Raises:
        RunError: the directory holds no run.
        CheckpointError: the file is missing, or no plugin recognises it.
    """
    path = user_path(generator)
    if path.is_dir():
        card = Run.open(path).record.generator
        return AssumedGenerator(
            card.fingerprint, card.space, card.layers, card.code_size, f"{card.family}, {card.source}"
        )
    built = load_generator("auto", checkpoint=generator, device="cpu")
    return AssumedGenerator(
        built.fingerprint,
        built.space,
        built.card.layers,
        built.card.code_size,
        f"{built.card.family}, {built.card.source}",
        tuple((built.strata[s].name, width) for s, width in style_strata(built)),
    )
