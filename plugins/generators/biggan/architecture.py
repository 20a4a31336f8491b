"""Infer the architecture of a BigGAN from the shapes of its tensors and stored settings."""

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
from ....core.messages import shown
from ..shared.layouts import find
from ..shared.state_dicts import describe_checkpoint
from .layouts import LAYOUTS, averaged, numbered
from .stored import ITERATED, PLAIN, STORED, Network

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Block:
    """Widths of a residual block, `hidden` between its convolutions; `up` doubles the size."""

    inputs: int
    hidden: int
    outputs: int
    up: bool

    def convolutions(self, *, deep: bool) -> tuple[tuple[int, int, int], ...]:
        """Input width, output width and kernel size of each convolution."""
        if not deep:
            return (self.inputs, self.outputs, 3), (self.outputs, self.outputs, 3)
        h = self.hidden
        return (self.inputs, h, 1), (h, h, 3), (h, h, 3), (h, self.outputs, 1)


@dataclass(frozen=True)
class Architecture:
    """Sizes of a network.

    Attributes:
        deep: bottleneck blocks that all read the whole of z, or the original.
        blocks: from the lowest resolution up.
        attention: block after which it stands, to the widths of its keys and values.
        classes: how many there are.
        embedding: width of what a class becomes; the number of classes where nothing is shared.
        shared: whether all normalisations share one embedding.
        z_dim: Z.
        first: entries of z that the first linear map reads.
        chunk: entries of z that each normalisation reads, 0 if none.
        bottom: pixels of the first feature map.
        statistics: rows of the tables of means and variances.
        colours: output channels of the last convolution, of which three are used.
        sigma: how weights are normalised, as in `stored`.
        z_first: whether z stands before the class in what linear maps read.
        eps: added to variances.
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

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> Self:
        """From asdict(), which may have been JSON in between."""
        blocks = tuple(Block(**block) for block in values["blocks"])
        attention = {int(i): (keys, width) for i, (keys, width) in values["attention"].items()}
        return cls(**{**values, "blocks": blocks, "attention": attention})

    @property
    def resolution(self) -> int:
        """Width and height of the images."""
        return int(self.bottom * 2 ** sum(block.up for block in self.blocks))

    @property
    def layers(self) -> int:
        """L: conditional normalisations in the original, blocks in deep, 1 if only the first map reads z."""
        if self.deep:
            return len(self.blocks)
        return 2 * len(self.blocks) if self.chunk else 1

    def part(self, block: int | None) -> slice:
        """The entries of z that a block's normalisations read; None: the first linear map."""
        if self.deep or block is None:
            return slice(0, self.first)
        return slice(self.chunk * (block + 1), self.chunk * (block + 2))

    def build(self) -> Network:
        """The network as stored, to be filled."""
        return Network(self)


def infer(shapes: Shapes, settings: Mapping[str, Any]) -> Architecture:
    """The architecture behind our tensor names.

    Args:
        shapes: of every tensor.
        settings: what was stored beside them: a header of ours, or pytorch-pretrained-BigGAN's config.json.

    Raises:
        CheckpointError: tensors that decide about it are missing or contradict each other.
    """
    try:
        return _infer(shapes, settings)
    except KeyError as error:
        raise CheckpointError(f"a BigGAN without {error}") from None
    except (IndexError, ValueError, ZeroDivisionError) as error:
        raise CheckpointError(f"a BigGAN with tensors of a shape that says nothing: {error}") from None


def _infer(shapes: Shapes, settings: Mapping[str, Any]) -> Architecture:
    ours = settings.get("network")
    header: Mapping[str, Any] = ours if isinstance(ours, Mapping) else {}
    deep = "blocks.0.conv3.weight" in shapes
    sigma = STORED if "linear.v" in shapes else ITERATED if "linear.u" in shapes else PLAIN
    widths = _widths(shapes, deep)
    linear, read = shapes["linear.weight"], shapes["blocks.0.norm1.gain.weight"][1]
    shared = "embedding" in shapes or "blocks.0.norm1.gain.u" in shapes
    classes, embedding = (shapes["embedding"][0], shapes["embedding"][1]) if shared else (read, read)
    first = linear[1] - (embedding if deep else 0)
    chunk = read - embedding
    bottom = math.isqrt(linear[0] // widths[0][0])
    found = Architecture(
        deep=deep,
        blocks=tuple(
            Block(*w, up)
            for w, up in zip(widths, _upsampling(widths, deep, sigma, header, settings), strict=True)
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
        z_first=header.get("z_first", sigma == STORED) is True,
        eps=_eps(header.get("eps", settings.get("eps", 1e-4 if sigma == STORED else 1e-5))),
    )
    if min(min(width) for width in widths) < 1:
        raise CheckpointError("a BigGAN with a block that has no channels")
    if bottom**2 * widths[0][0] != linear[0]:
        raise CheckpointError(
            f"a BigGAN whose first linear map gives {linear[0]} values: "
            f"no square of pixels with {widths[0][0]} channels"
        )
    if min(first, classes, embedding, found.statistics, bottom) < 1 or chunk < 0:
        raise CheckpointError(
            f"a BigGAN whose linear maps read {linear[1]} and {read} values, "
            f"{embedding} of them for the class: nothing is left of z"
        )
    if not deep and chunk not in (0, first):
        raise CheckpointError(
            f"a BigGAN whose first linear map reads {first} entries of z and whose normalisations read "
            f"{chunk}, not as many"
        )
    # Development versions of the PyTorch code had 128 and read class and z in the other order.
    if found.colours < 3 or (sigma != STORED and found.colours != 3):
        raise CheckpointError(
            f"a BigGAN whose last convolution gives {found.colours} channels; 3 are expected"
        )
    return found


def _widths(shapes: Shapes, deep: bool) -> list[tuple[int, int, int]]:
    """Input, hidden and output width of every block."""
    numbers = sorted(
        int(m[1]) for name in shapes if (m := re.fullmatch(r"blocks\.(\d+)\.conv1\.weight", name))
    )
    if not numbers or numbers != list(range(len(numbers))):
        raise CheckpointError(f"a BigGAN has blocks 0, 1, 2 ...; this file has {numbers or 'none'}")
    widths = []
    for i in numbers:
        hidden, inputs = shapes[f"blocks.{i}.conv1.weight"][:2]
        widths.append((inputs, hidden, shapes[f"blocks.{i}.conv4.weight"][0] if deep else hidden))
    for i, (before, after) in enumerate(pairwise(widths)):
        if before[2] != after[0]:
            raise CheckpointError(
                f"a BigGAN whose block {i} gives {before[2]} channels and whose block {i + 1} reads "
                f"{after[0]}"
            )
    if deep and any(outputs > inputs for inputs, _, outputs in widths):
        raise CheckpointError(
            "a BigGAN-deep with a block that gives more channels than it reads: "
            "its shortcut can only drop channels"
        )
    return widths


def _upsampling(
    widths: Sequence[tuple[int, int, int]],
    deep: bool,
    sigma: str,
    header: Mapping[str, Any],
    settings: Mapping[str, Any],
) -> list[bool]:
    """Return which blocks double the size: as stored, or all in the original and every second one in deep."""
    told = _told(header.get("blocks"), "up") or _told(settings.get("layers"), 0)
    if told:
        if len(told) != len(widths):
            raise CheckpointError(f"the settings tell of {len(told)} blocks, the tensors of {len(widths)}")
        return told
    if not deep:
        return [True] * len(widths)
    # The PyTorch code has equal widths at 32 pixels alone: three stages, of any depth.
    equal = sigma != STORED and len({w for block in widths for w in (block[0], block[2])}) == 1
    depth = len(widths) // 3 if equal and len(widths) % 3 == 0 else 2
    if len(widths) % depth:
        raise CheckpointError(
            f"a BigGAN-deep of {len(widths)} blocks: "
            "which of them double the size is neither stored nor to be seen from shapes"
        )
    return [i % depth == depth - 1 for i in range(len(widths))]


def _told(blocks: object, key: str | int) -> list[bool]:
    """What settings say about every block's upsampling; empty if they say nothing of that form."""
    found: list[Any] = []
    for block in blocks if isinstance(blocks, list | tuple) else ():
        if isinstance(block, Mapping):
            found.append(block.get(key))
        else:
            found.append(block[0] if isinstance(block, list | tuple) and block and key == 0 else None)
    return found if all(isinstance(up, bool) for up in found) else []


def _attention(shapes: Shapes, blocks: int) -> dict[int, tuple[int, int]]:
    found = {}
    for i in sorted({int(m[1]) for name in shapes if (m := re.fullmatch(r"attention\.(-?\d+)\..*", name))}):
        if not 0 <= i < blocks:
            raise CheckpointError("a BigGAN with attention that stands behind none of its blocks")
        found[i] = (shapes[f"attention.{i}.query.weight"][0], shapes[f"attention.{i}.value.weight"][0])
    return found


def _eps(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 <= value < 1.0:
        raise CheckpointError(f"eps stored in the file is {shown(value)}, expected a small number")
    return float(value)


def examine(part: Part) -> Examined | None:
    """Sizes, classes and weights of a BigGAN in any layout; None if it is in none.

    Raises:
        CheckpointError: tensors or settings that decide about the architecture are missing or senseless.
    """
    layout = find(LAYOUTS, part.tensors)
    if layout is None:
        return None
    if any(re.fullmatch(r".*\.bn\.running_(mean|var)", name) for name in part.tensors):
        raise CheckpointError(
            "a BigGAN trained with cross-replica normalisation, "
            "whose own code evaluates it in another way than it trains it; "
            "store it with the plain batch normalisation (stored_mean, stored_var)"
        )
    translated = numbered(layout, part.tensors).translate(averaged(part.tensors))
    shapes = {name: tuple(tensor.shape) for name, tensor in translated.tensors.items()}
    architecture = infer(shapes, part.settings)
    return describe_checkpoint(
        "BigGAN-deep" if architecture.deep else "BigGAN",
        layout,
        architecture,
        translated,
        layers=architecture.layers,
        code_size=architecture.z_dim,
    )
