"""Infer the architecture of a BigGAN from the shapes of its tensors and its stored settings."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self

from ....core.checkpoints import Part
from ....core.checkpoints.detect import Examined
from ....core.errors import CheckpointError
from ....core.messages import quantity, shown
from ..shared.layouts import find
from ..shared.sizes import count_numbered, lacking, numbers
from ..shared.spelling import as_stored
from ..shared.state_dicts import describe_checkpoint
from .layouts import LAYOUTS, STUDIO, averaged, numbered
from .stored import ITERATED, PLAIN, STORED, Network

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Block:
    """Hold the widths of a residual block.

    Attributes:
        inputs, outputs: channels of its input and output.
        hidden: channels between its convolutions.
        up: whether it doubles the size of the feature map.
    """

    inputs: int
    hidden: int
    outputs: int
    up: bool

    def convolutions(self, *, deep: bool) -> tuple[tuple[int, int, int], ...]:
        """Return the input width, output width and kernel size of each convolution."""
        if not deep:
            return (self.inputs, self.outputs, 3), (self.outputs, self.outputs, 3)
        h = self.hidden
        return (self.inputs, h, 1), (h, h, 3), (h, h, 3), (h, self.outputs, 1)


@dataclass(frozen=True)
class Architecture:
    """Hold the sizes of a network.

    Attributes:
        deep: True for BigGAN-deep: bottleneck blocks, each of which reads all of z.
        blocks: from the lowest resolution up.
        attention: maps the index of a block to the widths of the keys and values of the attention after it.
        classes: number of classes; 0 if the network is unconditional.
        embedding: width E of a class vector; the number of classes if normalisations share no embedding; 0
            if there are none.
        shared: whether all normalisations share one class embedding.
        z_dim: width Z of z.
        first: number of entries of z that the first linear map reads.
        chunk: number of entries of z that each normalisation reads; 0 without hierarchical latents.
        bottom: width and height of the first feature map.
        statistics: number of rows R in the tables of means and variances.
        colours: output channels of the last convolution; only the first three are used.
        sigma: source of the spectral norms: STORED, ITERATED or PLAIN of `stored`.
        z_first: whether z precedes the class vector in the input of linear maps.
        eps: added to variances.
        skip: whether the shortcuts of a BigGAN-deep are 1x1 convolutions, as in one of StudioGAN's.
    """

    deep: bool
    blocks: tuple[Block, ...]
    attention: dict[int, tuple[int, int]]
    classes: int
    embedding: int
    shared: bool
    z_dim: int
    first: int
    chunk: int
    bottom: int
    statistics: int
    colours: int
    sigma: str
    z_first: bool
    eps: float
    skip: bool = False

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> Self:
        """Build an architecture from the values of asdict(), which may have passed through JSON."""
        blocks = tuple(Block(**block) for block in values["blocks"])
        attention = {int(i): (keys, width) for i, (keys, width) in values["attention"].items()}
        return cls(**{**values, "blocks": blocks, "attention": attention})

    @property
    def resolution(self) -> int:
        """Width and height of the images in pixels."""
        return int(self.bottom * 2 ** sum(block.up for block in self.blocks))

    @property
    def layers(self) -> int:
        """Number of layers L: normalisations (BigGAN), blocks (deep), or 1 if only the linear map reads z."""
        if self.deep:
            return len(self.blocks)
        return 2 * len(self.blocks) if self.chunk else 1

    def part(self, block: int | None) -> slice:
        """Return the entries of z that the normalisations of a block read; None is the first linear map."""
        if self.deep or block is None:
            return slice(0, self.first)
        return slice(self.chunk * (block + 1), self.chunk * (block + 2))

    def build(self) -> Network:
        """Build the network with the parameters that a checkpoint stores, uninitialised."""
        return Network(self)


def infer(shapes: Shapes, settings: Mapping[str, Any], *, studio: bool = False) -> Architecture:
    """Infer the architecture from the shapes of translated tensors.

    Args:
        shapes: by the names used here.
        settings: stored beside the tensors: the header of this package, or the config.json of
            pytorch-pretrained-BigGAN.
        studio: whether StudioGAN wrote it, whose options differ.

    Raises:
        CheckpointError: tensors or settings that determine the architecture are missing or inconsistent.
    """
    try:
        return _infer(shapes, settings, studio)
    except KeyError as error:
        raise lacking("BigGAN", error) from None
    except (IndexError, ValueError, ZeroDivisionError) as error:
        raise CheckpointError(
            f"the architecture of this BigGAN cannot be inferred from the shapes of its tensors: {error}"
        ) from None


def _infer(shapes: Shapes, settings: Mapping[str, Any], studio: bool) -> Architecture:
    network = settings.get("network")
    header: Mapping[str, Any] = network if isinstance(network, Mapping) else {}
    deep = "blocks.0.conv3.weight" in shapes
    sigma = STORED if "linear.v" in shapes else ITERATED if "linear.u" in shapes else PLAIN
    skip = deep and "blocks.0.shortcut.weight" in shapes
    widths = _widths(shapes, deep=deep, skip=skip)
    linear_outputs, linear_inputs = shapes["linear.weight"]
    norm_inputs = shapes["blocks.0.norm1.gain.weight"][1]
    unconditional = "embedding" not in shapes and (studio or header.get("classes") == 0)
    shared = not unconditional and ("embedding" in shapes or "blocks.0.norm1.gain.u" in shapes)
    classes, embedding = shapes["embedding"] if shared else (norm_inputs, norm_inputs)
    if unconditional:
        classes = embedding = 0
    first = linear_inputs - (embedding if deep else 0)
    chunk = norm_inputs - embedding
    bottom = math.isqrt(linear_outputs // widths[0][0])
    architecture = Architecture(
        deep=deep,
        blocks=tuple(
            Block(*w, up)
            for w, up in zip(widths, _upsampling(widths, deep, sigma, header, settings, studio), strict=True)
        ),
        attention=_attention(shapes, len(widths)),
        classes=classes,
        embedding=embedding,
        shared=shared,
        z_dim=first * (len(widths) + 1) if chunk and not deep else first,
        first=first,
        chunk=chunk,
        bottom=bottom,
        statistics=shapes["output_norm.mean"][0],
        colours=shapes["output.weight"][0],
        sigma=sigma,
        z_first=header.get("z_first", sigma == STORED and not studio) is True,
        eps=_eps(header.get("eps", settings.get("eps", 1e-4 if studio or sigma == STORED else 1e-5))),
        skip=skip,
    )
    if min(min(width) for width in widths) < 1:
        raise CheckpointError("a block of this BigGAN has no channels")
    if bottom**2 * widths[0][0] != linear_outputs:
        raise CheckpointError(
            f"the first linear map of this BigGAN has {quantity(linear_outputs, 'output')}, "
            f"which is not a square feature map of {widths[0][0]} channels"
        )
    needed = (first, architecture.statistics, bottom, *(() if unconditional else (classes, embedding)))
    if min(needed) < 1 or chunk < 0:
        raise CheckpointError(
            f"the linear maps of this BigGAN have {linear_inputs} and {norm_inputs} inputs, "
            f"of which the class vector takes {embedding}; no entries of z remain"
        )
    if not deep and chunk not in (0, first):
        raise CheckpointError(
            f"the first linear map of this BigGAN reads {quantity(first, 'entry', 'entries')} of z, "
            "but its normalisations read "
            f"{chunk}; the numbers must be equal"
        )
    # Development versions of BigGAN-PyTorch's deep network have 128 channels, and the class before z.
    if architecture.colours < 3 or (sigma != STORED and architecture.colours != 3):
        raise CheckpointError(
            f"the last convolution of this BigGAN has {architecture.colours} channels, expected 3"
        )
    return architecture


def _widths(shapes: Shapes, *, deep: bool, skip: bool) -> list[tuple[int, int, int]]:
    """Return the input, hidden and output width of every block."""
    widths = []
    for i in range(count_numbered(shapes, r"blocks\.(\d{1,4})\.conv1\.weight", "BigGAN", "blocks")):
        hidden, inputs = shapes[f"blocks.{i}.conv1.weight"][:2]
        widths.append((inputs, hidden, shapes[f"blocks.{i}.conv4.weight"][0] if deep else hidden))
    for i, ((_, _, outputs), (inputs, _, _)) in enumerate(pairwise(widths)):
        if outputs != inputs:
            raise CheckpointError(
                f"block {i} of this BigGAN has {outputs} output channels, but block {i + 1} reads {inputs}"
            )
    if deep and not skip and any(outputs > inputs for inputs, _, outputs in widths):
        raise CheckpointError(
            "a block of this BigGAN-deep has more output than input channels, "
            "but the shortcuts of BigGAN-deep only drop channels"
        )
    return widths


def _upsampling(
    widths: Sequence[tuple[int, int, int]],
    deep: bool,
    sigma: str,
    header: Mapping[str, Any],
    settings: Mapping[str, Any],
    studio: bool,
) -> list[bool]:
    """Return for each block whether it doubles the size.

    The settings decide, if they say so. Otherwise all blocks of a BigGAN double the size, and the last one
    of every stage of a BigGAN-deep.
    """
    stored = _stored_flags(header.get("blocks"), "up") or _stored_flags(settings.get("layers"), 0)
    if stored:
        if len(stored) != len(widths):
            raise CheckpointError(
                f"the stored settings describe {quantity(len(stored), 'block')}, but the tensors "
                f"form {len(widths)}"
            )
        return stored
    if not deep:
        return [True] * len(widths)
    # BigGAN-PyTorch and StudioGAN have equal widths only at 32 pixels, where there are three stages of any
    # depth. In every other published network a stage has two blocks.
    equal = (studio or sigma != STORED) and len({w for block in widths for w in (block[0], block[2])}) == 1
    depth = len(widths) // 3 if equal and len(widths) % 3 == 0 else 2
    if len(widths) % depth:
        raise CheckpointError(
            f"which of the {len(widths)} blocks of this BigGAN-deep double the size is neither stored "
            "nor clear from their number; a BigGAN-deep without settings has two blocks per stage"
        )
    return [i % depth == depth - 1 for i in range(len(widths))]


def _stored_flags(blocks: object, key: str | int) -> list[bool]:
    """Return the upsampling flag of each block in settings; empty if a block has no bool at `key`."""
    flags: list[Any] = []
    for block in blocks if isinstance(blocks, list | tuple) else ():
        if isinstance(block, Mapping):
            flags.append(block.get(key))
        else:
            flags.append(block[0] if isinstance(block, list | tuple) and block and key == 0 else None)
    return flags if all(isinstance(flag, bool) for flag in flags) else []


def _attention(shapes: Shapes, blocks: int) -> dict[int, tuple[int, int]]:
    """Return the widths of the keys and values of each attention, by the block before it."""
    widths = {}
    for i in numbers(shapes, r"attention\.(-?\d+)\..*"):
        if not 0 <= i < blocks:
            raise CheckpointError(f"this BigGAN has attention after block {i}, but only {blocks} blocks")
        widths[i] = (shapes[f"attention.{i}.query.weight"][0], shapes[f"attention.{i}.value.weight"][0])
    return widths


def _eps(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 <= value < 1.0:
        raise CheckpointError(
            f"the eps stored in the file is {shown(value)}, expected a number from 0 to below 1"
        )
    return float(value)


def examine(part: Part) -> Examined | None:
    """Return the sizes, classes and weights of a BigGAN in any layout; None if no layout fits.

    Raises:
        CheckpointError: tensors or settings that determine the architecture are missing or invalid.
    """
    layout = find(LAYOUTS, part.tensors)
    if layout is None:
        return None
    studio = layout is STUDIO
    if not studio and any(re.fullmatch(r".*\.bn\.running_(mean|var)", name) for name in part.tensors):
        raise CheckpointError(
            "this BigGAN uses cross-replica normalisation, whose published code computes other values in "
            "evaluation than in training; store the network with plain batch normalisation "
            "(stored_mean, stored_var)"
        )
    layout = numbered(layout, part.tensors)
    translated = layout.translate(averaged(part.tensors))
    shapes = {name: tuple(tensor.shape) for name, tensor in translated.tensors.items()}
    with as_stored(layout, translated):
        architecture = infer(shapes, part.settings, studio=studio)
    return describe_checkpoint(
        "BigGAN-deep" if architecture.deep else "BigGAN",
        layout,
        architecture,
        translated,
        layers=architecture.layers,
        code_size=architecture.z_dim,
        assumptions=("the file does not state the activation function: ReLU, as in published configurations",)
        if studio
        else (),
    )
