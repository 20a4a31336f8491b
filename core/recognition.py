"""Which generator plugin a checkpoint belongs to, and what the plugin finds in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .checkpoints import Checkpoint, Part, locate, read_checkpoint
from .errors import CheckpointError, GanstrataError
from .identify import describe
from .registry import registry

if TYPE_CHECKING:
    from torch import Tensor

    from .contracts import Generator
    from .records import Match


@dataclass(frozen=True)
class Examined:
    """What a generator plugin finds in one part of a checkpoint.

    Attributes:
        family: as in the model card.
        layout: whose tensor names they are, in words.
        architecture: plain values from which the plugin builds the network.
        resolution, layers, latent_size, code_size: as in the model card.
        tensors: by the names of the plugin's own network; `model convert` writes these.
        missing: names that the network needs and the file does not have.
        superfluous: stored names for which the network has no place.
        misshapen: stored names whose shape the network has no place for, in words.
        classes: how many classes the network is conditioned on.
    """

    family: str
    layout: str
    architecture: Mapping[str, Any]
    resolution: int
    layers: int
    latent_size: int
    code_size: int
    tensors: Mapping[str, Tensor] = field(repr=False)
    missing: tuple[str, ...] = ()
    superfluous: tuple[str, ...] = ()
    misshapen: tuple[str, ...] = ()
    classes: int = 0


@dataclass(frozen=True)
class Candidate:
    """A plugin's claim on one part of a checkpoint."""

    plugin: str
    part: Part
    match: Match


def candidates(checkpoint: Checkpoint) -> list[Candidate]:
    """Every claim, the surest first; of equal ones the part that comes first in the file's order."""
    found = []
    for info in registry().infos("generator"):
        try:
            plugin = info.load()
        except GanstrataError:
            continue  # a broken plugin stops only those who ask for it
        for part in checkpoint.parts:
            match = plugin.recognise(part.shapes, part.settings)
            if match is not None:
                found.append(Candidate(info.name, part, match))
    return sorted(found, key=lambda c: (-c.match.confidence, checkpoint.parts.index(c.part)))


def choose(checkpoint: Checkpoint) -> Candidate:
    """The plugin and part that a checkpoint belongs to.

    Raises:
        CheckpointError: no plugin claims it, or two do with equal right.
    """
    claims = candidates(checkpoint)
    if not claims:
        raise CheckpointError(f"{checkpoint.path} belongs to no generator plugin that is installed: {describe(checkpoint)}")
    best = claims[0]
    rivals = sorted({c.plugin for c in claims if c.match.confidence == best.match.confidence and c.part is best.part})
    if len(rivals) > 1:
        raise CheckpointError(f"{checkpoint.path} is claimed by the generator plugins {' and '.join(rivals)}; name one with `use:`")
    return best


def own_part(plugin: type[Generator], checkpoint: Checkpoint) -> Part:
    """The part of a checkpoint that a plugin knows as its own.

    Raises:
        CheckpointError: there is none; the message says what the file seems to be instead.
    """
    for part in checkpoint.parts:
        if plugin.recognise(part.shapes, part.settings) is not None:
            return part
    others = sorted({c.plugin for c in candidates(checkpoint)})
    hint = f"it belongs to the generator plugin {' or '.join(others)}: write `use: {others[0]}`, or `use: auto`" if others else describe(checkpoint)
    raise CheckpointError(f"{checkpoint.path} is no {plugin.__name__} generator: {hint}")


def plugin_for(checkpoint: str) -> str:
    """The name of the generator plugin that `use: auto` stands for.

    Raises:
        CheckpointError: the file is missing, damaged, or belongs to none.
    """
    return choose(read_checkpoint(locate(checkpoint, "generator"))).plugin
