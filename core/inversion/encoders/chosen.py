"""Read the encoder that a step of an inversion is set to, or the one that is bundled for the generator."""

from __future__ import annotations

from ...checkpoints import locate
from ...errors import UserError
from ...plugins.base import owner_of
from ...plugins.generator import Generator
from .encoder import PictureEncoder
from .encoder_file import ROLE, bundled_encoder, load_encoder


class ChosenEncoder:
    """Hold an encoder, read once for a generator.

    Args:
        checkpoint: its file, or `bundled:NAME`; None for the one that is bundled for the generator.
        step: name of the step whose field `checkpoint` says so, for messages.
        otherwise: what to do where none is bundled, for messages.

    Raises:
        CheckpointError: there is no such file.
    """

    def __init__(self, checkpoint: str | None, step: str, otherwise: str) -> None:
        if checkpoint is not None:
            locate(checkpoint, ROLE)  # the user hears of a missing file before anything is computed
        self._checkpoint, self._step, self._otherwise = checkpoint, step, otherwise
        self._loaded: tuple[Generator, PictureEncoder] | None = None

    def of(self, generator: Generator) -> PictureEncoder:
        """Return the encoder for a generator.

        Raises:
            UserError: none is bundled for it, or the encoder is of another generator.
            CheckpointError: the file is not one, or damaged.
        """
        if self._loaded is None or self._loaded[0] is not generator:
            name = self._checkpoint or bundled_encoder(generator)
            if name is None:
                raise UserError(
                    f"no encoder is bundled for {owner_of(generator)}; train one with `ganstrata encoder "
                    f"train` and give it as {self._step}.checkpoint, or {self._otherwise}"
                )
            self._loaded = generator, load_encoder(name, generator)
        return self._loaded[1]
