"""Begin with what an encoder answers."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from ...core.device import auto_batch
from ...core.inversion.encoders.chosen import ChosenEncoder
from ...core.inversion.encoders.encoder import PictureEncoder
from ...core.plugins.base import PluginConfig
from ...core.plugins.generator import Generator
from ...core.plugins.inverter import Inversion, InversionTask, Inverter

Part = tuple[Tensor, Tensor | None, tuple[Tensor, Literal["z", "w"]] | None]


class Encoder(Inverter):
    """Take the codes that a trained network gives at once.

    It looks at each picture once, and so is the quickest step that looks at it at all. The network is one of
    `ganstrata encoder train`, or one of pSp, e4e or in-domain inversion in a file of theirs.

    Sources: Tov et al., "Designing an Encoder for StyleGAN Image Manipulation", SIGGRAPH 2021; Zhu et al.,
    "In-Domain GAN Inversion for Real Image Editing", ECCV 2020.
    """

    class Config(PluginConfig):
        """Set which encoder."""

        checkpoint: str | None = Field(
            default=None,
            description="file of the encoder, or bundled:NAME; by default the one bundled for the generator",
        )

    config: Config
    step = "embed"
    needs_gradients = False

    def __init__(self, config: Config, device: torch.device) -> None:
        super().__init__(config, device)
        self._chosen = ChosenEncoder(config.checkpoint, "encoder", "begin with `best`")

    def check_generator(self, generator: Generator) -> None:
        """Refuse a generator that the encoder is not for, or for which none is bundled.

        Raises:
            UserError: says which encoder it is, and what fits.
        """
        self.checkpoint = self._chosen.of(generator).sha256

    @torch.no_grad()
    def invert(self, task: InversionTask, start: Inversion | None) -> Inversion:
        """Return what the encoder answers to each picture."""
        encoder, pictures = self._chosen.of(task.generator), task.pictures
        batch = auto_batch(pictures.shape[2], pictures.device, pictures.shape[3])
        parts = [
            self._of_batch(encoder, task, slice(at, at + batch)) for at in range(0, len(pictures), batch)
        ]
        codes, conditions, latents = zip(*parts, strict=True)
        known = [latent for latent in latents if latent is not None]
        return Inversion(
            torch.cat(codes),
            None if conditions[0] is None else torch.cat(conditions),
            torch.cat([values for values, _ in known]) if known else None,
            known[0][1] if known else "w+",
        )

    @staticmethod
    def _of_batch(encoder: PictureEncoder, task: InversionTask, rows: slice) -> Part:
        """Return codes, condition and latent of some pictures of a task."""
        pictures = task.pictures[rows]
        condition = encoder.condition(pictures) if task.condition is None else task.condition[rows]
        return encoder(pictures, condition), condition, encoder.latent(pictures)
