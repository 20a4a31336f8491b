"""Infer the architecture of an R3GAN2 from the shapes of its tensors and its stored encoder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from pydantic import TypeAdapter, ValidationError

from ....core.checkpoints import Part
from ....core.checkpoints.detect import Examined
from ....core.errors import CheckpointError
from ..shared.layouts import find
from ..shared.sizes import Watched, count_numbered, inconsistent, lacking, wrong_dimensions
from ..shared.spelling import as_stored
from ..shared.state_dicts import describe_checkpoint
from .encoding import KNOWN, Encoding, encoding_of, unsupported
from .layouts import LAYOUTS
from .network import BlockSizes, Network

FAMILY = "R3GAN2"


@dataclass(frozen=True)
class Architecture:
    """Hold the sizes of a network, and what its output is.

    Attributes:
        z_dim: width Z of z.
        classes, embedding: number Y of classes and width E of their embedding; 0 if unconditional.
        inside, group, side, kernel: of layers.Head.
        widths: channels of each stage, from the lowest resolution up.
        blocks: of each stage.
        kernels: sizes of the low-pass filters between the stages.
        outputs: channels of the output.
        encoding: whether the output is a picture or latents.
    """

    z_dim: int
    classes: int
    embedding: int
    inside: int
    group: int
    side: int
    kernel: int
    widths: tuple[int, ...]
    blocks: tuple[tuple[BlockSizes, ...], ...]
    kernels: tuple[int, ...]
    outputs: int
    encoding: Encoding = field(default_factory=Encoding)

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> Self:
        """Build an architecture from the values of asdict(), which may have passed through JSON."""
        return TypeAdapter(cls).validate_python(dict(values))

    @property
    def size(self) -> int:
        """Width and height of the output in pixels, or in pixels of latents."""
        return int(2 * self.side * 2 ** (len(self.widths) - 1))

    @property
    def resolution(self) -> int:
        """Width and height of the images in pixels."""
        return self.size * self.encoding.factor

    def build(self) -> Network:
        """Build the network, with new weights."""
        inputs = self.z_dim + self.embedding + 1
        head = (inputs, self.inside, self.group, self.side, self.widths[0], self.kernel)
        return Network(
            self.classes, self.embedding, head, self.widths, self.blocks, self.kernels, self.outputs
        )


def _block(shapes: Watched, at: str) -> BlockSizes:
    """Read the sizes of the block whose tensors' names begin with `at`."""
    if at + "qkv" in shapes:
        (heads,) = shapes[at + "sinks"]
        inside, rest = divmod(shapes[at + "qkv"][0], 3)
        (periods,) = shapes[at + "periods"]
        if rest or periods < 1 or inside != 4 * periods * heads:
            raise ValueError
        return BlockSizes(inside, heads, 0)
    inside, each, size, width = shapes[at + "conv2"]
    if not inside or not each or inside % each or size % 2 == 0 or size != width:
        raise ValueError
    return BlockSizes(inside, inside // each, size)


def infer(shapes: Mapping[str, tuple[int, ...]], encoding: Encoding) -> Architecture:
    """Infer the architecture from the shapes of translated tensors.

    Raises:
        CheckpointError: tensors that determine the architecture are missing, or of inconsistent shapes.
    """
    watched = Watched(shapes)
    try:
        classes, embedding = watched.get("embed", (0, 0))
        inside, group, side, _ = watched["head.basis"]
        stages = range(count_numbered(watched, r"stages\.(\d{1,4})\..*", FAMILY, "stages"))
        counts = [
            count_numbered(watched, rf"stages\.{i}\.blocks\.(\d{{1,4}})\..*", FAMILY, f"blocks of stage {i}")
            for i in stages
        ]
        blocks = tuple(
            tuple(_block(watched, f"stages.{i}.blocks.{j}.") for j in range(counts[i])) for i in stages
        )
        widths = tuple(watched[f"stages.{i}.blocks.0.alpha"][0] for i in stages)
        architecture = Architecture(
            z_dim=watched["head.linear"][1] - embedding - 1,
            classes=classes,
            embedding=embedding,
            inside=inside,
            group=group,
            side=side,
            kernel=watched["head.kernel"][0],
            widths=widths,
            blocks=blocks,
            kernels=tuple(watched[f"stages.{i}.up.kernel"][0] for i in stages[1:]),
            outputs=watched["output"][0],
            encoding=encoding,
        )
    except KeyError as error:
        raise lacking(FAMILY, error) from None
    except (IndexError, ValueError):
        raise wrong_dimensions(watched, FAMILY) from None
    if not _is_consistent(architecture):
        sizes = {
            name: getattr(architecture, name) for name in ("z_dim", "inside", "group", "widths", "kernels")
        }
        raise inconsistent(shapes, FAMILY, sizes)
    return architecture


def _is_consistent(a: Architecture) -> bool:
    """Return whether a network can be built of these sizes, and doubles its size at every stage."""
    positive = (a.z_dim, a.inside, a.group, a.side, a.outputs, *a.widths)
    if min(positive) < 1 or a.inside % a.group or a.kernel < 2 or a.kernel % 2:
        return False
    return all(
        kernel >= 2 and kernel % 2 == 0 if below == width else kernel % 2 == 1 and 4 * width % below == 0
        for below, width, kernel in zip(a.widths, a.widths[1:], a.kernels, strict=False)
    )


def examine(part: Part) -> Examined | None:
    """Return the sizes, classes and weights of an R3GAN2 in any layout; None if no layout fits.

    Raises:
        CheckpointError: tensors that determine the architecture are missing, or of inconsistent shapes, or
            the encoder is not known.
    """
    layout = find(LAYOUTS, part.tensors)
    if layout is None:
        return None
    translated = layout.translate(part.tensors)
    shapes = {name: tuple(tensor.shape) for name, tensor in translated.tensors.items()}
    stored = part.settings.get("network")
    channels = (shapes.get("output") or (0,))[0]
    encoding, assumed = (
        (_converted(stored["encoding"], channels), ())
        if isinstance(stored, Mapping) and "encoding" in stored
        else encoding_of({**part.beside, **part.settings}, channels)
    )
    with as_stored(layout, translated):
        architecture = infer(shapes, encoding)
    return describe_checkpoint(
        FAMILY,
        layout,
        architecture,
        translated,
        layers=1,
        code_size=architecture.z_dim,
        assumptions=assumed,
    )


def _converted(values: object, channels: int) -> Encoding:
    """Return the encoding in a file that `model convert` wrote.

    Raises:
        CheckpointError: it is not one, or not one of so many channels.
    """
    try:
        encoding: Encoding = TypeAdapter(Encoding).validate_python(values)
        if KNOWN[encoding.kind].channels != channels:
            raise unsupported(KNOWN[encoding.kind].class_name, channels)
        return encoding
    except ValidationError as error:
        place = ".".join(str(step) for step in error.errors()[0]["loc"])
        raise CheckpointError(
            f"network.encoding stored in the file is not one of an {FAMILY} ({place or 'no mapping'})"
        ) from None
