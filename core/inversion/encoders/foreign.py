"""Read encoders that others trained: pSp, e4e and in-domain inversion, from their own checkpoint files.

Their codes are w+ and go to the layers as they are: truncation of the generator is not applied to them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...checkpoints import Checkpoint, Part
from ...checkpoints.filling import filled
from ...device import for_inference
from ...errors import CheckpointError, GanstrataError, MismatchError
from ...messages import shown
from ...plugins.base import owner_of
from ...plugins.generator import Generator
from ...runs.loading import load_generator
from .in_domain_network import InDomainNetwork, in_domain_shape, is_in_domain
from .irse_pyramid import Pyramid, is_pyramid, shape_of

PYRAMIDS = {"Encoder4Editing": True, "GradualStyleEncoder": False}
"""Names of encoders in `opts`, and whether later codes are changes of the first."""
MEAN = "latent_avg"
COUNTER = "num_batches_tracked"  # of batch normalisations; it has no influence


@dataclass(frozen=True)
class ForeignEncoder:
    """Answer pictures with codes by the network of somebody else.

    Attributes:
        network: maps pictures (N, 3, S, S) in [-1, 1] to codes (N, L, D) or (N, L D).
        size: side S of its pictures in pixels; others are resized.
        layers: number L of layers.
        sha256: SHA-256 of the file.
        mean: code (D,) or (L, D) that is added; None for none.
    """

    network: nn.Module
    size: int
    layers: int
    sha256: str
    mean: Tensor | None = None

    def __call__(self, pictures: Tensor, condition: Tensor | None = None) -> Tensor:
        """Return codes (N, L, D) of pictures (N, 3, H, W) in [0, 1], with gradients if switched on."""
        if pictures.shape[2:] != (self.size, self.size):
            pictures = F.interpolate(
                pictures, (self.size, self.size), mode="bilinear", align_corners=False, antialias=True
            )
        codes: Tensor = self.network(2.0 * pictures - 1.0)
        codes = codes.reshape(len(codes), self.layers, -1)
        return codes if self.mean is None else codes + self.mean.to(codes)

    def condition(self, pictures: Tensor) -> Tensor | None:
        """Return None: these encoders are for generators without classes."""
        return None

    def latent(self, pictures: Tensor) -> tuple[Tensor, Literal["z", "w"]] | None:
        """Return None: every layer has a code of its own."""
        return None


def foreign_encoder(checkpoint: Checkpoint, generator: Generator) -> ForeignEncoder:
    """Build an encoder of pSp, e4e or in-domain inversion.

    Args:
        checkpoint: their file, read.
        generator: generator of the codes. pSp and e4e store theirs beside the encoder, and it must be this
            one; in-domain encoders name none, so only sizes are compared.

    Raises:
        CheckpointError: it holds no such encoder, or its tensors do not fit each other.
        MismatchError: it is of another generator.
    """
    for part in checkpoint.parts:
        if is_pyramid(part.shapes):
            return _pyramid(checkpoint, part, generator)
        if is_in_domain(part.shapes):
            return _in_domain(checkpoint, part, generator)
    raise CheckpointError(
        f"{checkpoint.path} holds no encoder that is known here: neither one of `ganstrata encoder train`, "
        "nor of pSp or e4e (`encoder.*` beside `decoder.*`), nor of in-domain inversion "
        "(`block0.conv.weight` and others)"
    )


def _pyramid(checkpoint: Checkpoint, part: Part, generator: Generator) -> ForeignEncoder:
    """Build an encoder of pSp or e4e."""
    path, options = checkpoint.path, part.settings.get("opts")
    options = options if isinstance(options, Mapping) else {}
    kind = options.get("encoder_type")
    if kind not in PYRAMIDS:
        raise CheckpointError(
            f"{path}: its opts.encoder_type is {shown(kind)}; {' and '.join(PYRAMIDS)} are known, and "
            "without it nothing says whether its codes are changes of the first"
        )
    colours = part.shapes["input_layer.0.weight"][1]
    if colours != 3:
        raise CheckpointError(
            f"{path}: its encoder takes {colours} channels, a picture with what was found before; only "
            "encoders that take a picture alone are supported"
        )
    try:
        shape = shape_of(part.shapes, deltas=PYRAMIDS[kind])
    except ValueError as error:
        raise CheckpointError(f"{path}: its encoder is not one of {kind}: {error}") from None
    _check_codes(checkpoint, len(shape.steps), shape.code_size, generator)
    _check_decoder(checkpoint, generator)
    mean = next((p.tensors[MEAN] for p in checkpoint.parts if MEAN in p.tensors), None)
    if not options.get("start_from_latent_avg", True):
        mean = None
    elif mean is None:
        raise CheckpointError(f"{path} has no {MEAN}, to which its encoder's codes are added")
    elif tuple(mean.shape) not in ((shape.code_size,), (len(shape.steps), shape.code_size)):
        raise CheckpointError(
            f"{path}: its {MEAN} is {tuple(mean.shape)}, expected {(shape.code_size,)} or "
            f"{(len(shape.steps), shape.code_size)}"
        )
    network = filled(lambda: Pyramid(shape), _counted(part.tensors), path, what=f"the layout of {kind}")
    return ForeignEncoder(
        for_inference(network, generator.device),
        shape.size,
        len(shape.steps),
        checkpoint.sha256,
        None if mean is None else mean.float(),
    )


def _in_domain(checkpoint: Checkpoint, part: Part, generator: Generator) -> ForeignEncoder:
    """Build an encoder of in-domain inversion."""
    path, card = checkpoint.path, generator.card
    try:
        shape = in_domain_shape(part.shapes)
    except ValueError as error:
        raise CheckpointError(f"{path}: its encoder is not one of in-domain inversion: {error}") from None
    layers, rest = divmod(shape.outputs, card.code_size)
    _check_codes(checkpoint, layers, card.code_size if not rest else 0, generator, shape.outputs)
    if (card.height, card.width) != (shape.size, shape.size):
        raise MismatchError(
            f"{path} is an encoder of pictures of {shape.size} x {shape.size} pixels, and "
            f"{owner_of(generator)} makes pictures of {card.size_in_words}; give the generator that it was "
            "trained with"
        )
    network = filled(
        lambda: InDomainNetwork(shape), _counted(part.tensors), path, what="the layout of in-domain inversion"
    )
    return ForeignEncoder(for_inference(network, generator.device), shape.size, layers, checkpoint.sha256)


def _check_codes(
    checkpoint: Checkpoint, layers: int, code_size: int, generator: Generator, together: int | None = None
) -> None:
    """Refuse a generator whose codes have other sizes, or that has no w.

    Raises:
        MismatchError: it is of another generator.
    """
    card = generator.card
    has = f"{layers} codes of {code_size}" if code_size else f"{together} numbers together"
    if generator.space == "z" or (card.layers, card.code_size) != (layers, code_size):
        raise MismatchError(
            f"{checkpoint.path} gives codes of w+, {has}, and {owner_of(generator)} takes "
            f"{card.layers} codes of {card.code_size} in {generator.space}; give the generator that it was "
            "trained with"
        )


def _check_decoder(checkpoint: Checkpoint, generator: Generator) -> None:
    """Refuse a generator other than the one that is stored beside the encoder.

    Raises:
        CheckpointError: the file holds no generator, so that nothing says which one the codes are for.
        MismatchError: it is another one.
    """
    if generator.card.sha256 == checkpoint.sha256:
        return
    try:
        stored = load_generator("auto", checkpoint=str(checkpoint.path), device="cpu", check=False)
    except GanstrataError as error:
        raise CheckpointError(
            f"{checkpoint.path}: the generator that its encoder is for cannot be read from it, so that "
            f"nothing says whether it is {owner_of(generator)}: {error}"
        ) from None
    if stored.fingerprint != generator.fingerprint:
        raise MismatchError(
            f"{checkpoint.path} has an encoder for the generator {stored.fingerprint} that is stored beside "
            f"it, not for {owner_of(generator)}, {generator.fingerprint}; use the same file as "
            "the generator's checkpoint"
        )


def _counted(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors of a network, with the counters that old files lack."""
    counters = {
        name.removesuffix("running_mean") + COUNTER: torch.tensor(0)
        for name in tensors
        if name.endswith("running_mean")
    }
    return counters | {name: t for name, t in tensors.items() if name != MEAN}
