"""Open the checkpoint of a config and examine it."""

from __future__ import annotations

from dataclasses import dataclass

from ....core.checkpoints import Checkpoint, Part, digest, locate, read_checkpoint
from ....core.checkpoints.detect import Examined, own_part
from ....core.errors import CheckpointError
from ....core.plugins.contracts import Generator
from ....core.plugins.records import ModelCard
from .config import CheckpointConfig


@dataclass(frozen=True)
class Opened:
    """Hold a checkpoint, its part for this plugin, and what the plugin found there."""

    checkpoint: Checkpoint
    found: Examined
    part: Part

    def card(self, *, truncation: str = "none") -> ModelCard:
        """Return the model card."""
        settings, found = self.part.settings, self.found
        return ModelCard(
            family=found.family,
            resolution=found.resolution,
            layers=found.layers,
            code_size=found.code_size,
            latent_size=found.latent_size,
            licence=str(settings.get("licence", "unknown")),
            source=str(settings.get("source", self.checkpoint.path.name)),
            sha256=self.checkpoint.sha256,
            weights=digest(found.tensors),
            truncation=truncation,
        )


def open_checkpoint(plugin: type[Generator], config: CheckpointConfig) -> Opened:
    """Read a checkpoint, check its hash, find the plugin's part and examine it.

    Raises:
        CheckpointError: the file is missing, damaged, has another hash, or is of another family.
    """
    checkpoint = read_checkpoint(locate(config.checkpoint, "generator"))
    if config.sha256 is not None and config.sha256.lower() != checkpoint.sha256:
        raise CheckpointError(
            f"{checkpoint.path} has the SHA-256 {checkpoint.sha256}, "
            f"but the config asks for {config.sha256.lower()}"
        )
    part = own_part(plugin, checkpoint)
    try:
        found = plugin.examine(part)
    except CheckpointError as error:
        raise CheckpointError(f"{checkpoint.path}: {error}") from None
    assert found is not None, f"{plugin.__name__}.recognise() knows a part that examine() does not"
    return Opened(checkpoint, found, part)
