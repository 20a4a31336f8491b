"""Open the checkpoint of a config and examine it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import nn

from ....core.checkpoints import Checkpoint, Part, digest, is_remote, locate, origin, read_checkpoint
from ....core.checkpoints.assumptions import with_assumptions
from ....core.checkpoints.detect import Examined, own_part
from ....core.device import for_inference
from ....core.errors import CheckpointError
from ....core.plugins.generator import Generator
from ....core.plugins.records import ModelCard
from .config import CheckpointConfig
from .state_dicts import load

N = TypeVar("N", bound=nn.Module)
Examine = Callable[[Part], Examined | None]


@dataclass(frozen=True)
class OpenedCheckpoint:
    """Hold a checkpoint, the part that a plugin uses, and the description of the network in it.

    `background` is the colour of the config on which pictures with alpha are composited, and `origin` says
    where the file comes from (core.checkpoints.remote).
    """

    checkpoint: Checkpoint
    description: Examined
    part: Part
    background: str
    origin: str

    def card(self, *, truncation: str = "none", assumptions: Sequence[str] = ()) -> ModelCard:
        """Return the model card; licence and source are those that the file states.

        Args:
            truncation: the truncation applied, in words.
            assumptions: sentences that depend on the config, beside those on the file.
        """
        settings, description = self.part.settings, self.description
        return ModelCard(
            family=description.family,
            resolution=description.resolution,
            layers=description.layers,
            code_size=description.code_size,
            latent_size=description.latent_size,
            licence=str(settings.get("licence", "unknown")),
            source=self._source(),
            sha256=self.checkpoint.sha256,
            weights=digest(description.tensors),
            truncation=truncation,
            height=description.height or description.resolution,
            width=description.width or description.resolution,
            channels=description.channels,
            background=self.background,
            assumptions=(*description.assumptions, *assumptions),
        )

    def network(self, build: Callable[[], N], device: torch.device) -> N:
        """Build a network with the tensors of the checkpoint, on a device and ready for inference.

        Raises:
            CheckpointError: the tensors do not fit the network.
        """
        return for_inference(load(build, self.description, self.checkpoint.path), device)

    def _source(self) -> str:
        """Return the source that the file states, and the place from where it was fetched, if it was."""
        stated = self.part.settings.get("source")
        if stated is None:
            return self.origin
        return f"{stated} ({self.origin})" if is_remote(self.origin) else str(stated)


def open_checkpoint(
    plugin: type[Generator], config: CheckpointConfig, examine: Examine | None = None
) -> OpenedCheckpoint:
    """Read a checkpoint, verify its hash, and examine the part that belongs to a plugin.

    Args:
        plugin: recognises the part.
        config: names the file.
        examine: examines the part with what the config says of it; None takes the plugin's own.

    Raises:
        CheckpointError: the file is missing or damaged, has another hash, or holds no network of the plugin.
    """
    checkpoint = read_checkpoint(locate(config.checkpoint, "generator"))
    if config.sha256 is not None and config.sha256.lower() != checkpoint.sha256:
        raise CheckpointError(
            f"{checkpoint.path} has the SHA-256 {checkpoint.sha256}, "
            f"but the config asks for {config.sha256.lower()}"
        )
    part = own_part(plugin, checkpoint)
    try:
        description = (examine or plugin.examine)(part)
    except CheckpointError as error:
        raise CheckpointError(f"{checkpoint.path}: {error}") from None
    assert description is not None, f"{plugin.__name__}.recognise() accepts a part that examine() rejects"
    return OpenedCheckpoint(
        checkpoint,
        with_assumptions(description, part, checkpoint),
        part,
        config.background,
        origin(config.checkpoint, checkpoint.path),
    )
