"""Infer the architecture of a StyleGAN-T from the shapes of its tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from ....core.checkpoints import Part
from ....core.checkpoints.detect import Examined
from ....core.errors import CheckpointError
from ..shared.layouts import Shapes, find
from ..shared.sizes import Watched, count_numbered, inconsistent, lacking, numbers, wrong_dimensions
from ..shared.spelling import as_stored
from ..shared.state_dicts import check_channels, describe_checkpoint
from .layouts import LAYOUTS
from .network import BANDWIDTH, CLAMP, GROUPS, Network

FAMILY = "StyleGAN-T"
CONSTANTS = (
    f"the outputs of convolutions are limited to {CLAMP:g} and normalised in {GROUPS} groups, as in the "
    "authors' code: the file states neither"
)


@dataclass(frozen=True)
class Architecture:
    """Hold the sizes and options of a network, the arguments of network.Network."""

    z_dim: int
    text: int
    mapping_layers: int
    channels: dict[int, int]
    pairs: int
    skip: bool = True
    colours: int = 3

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> Self:
        """Build an architecture from the values of asdict(), which may have passed through JSON."""
        return cls(**{**values, "channels": {int(size): width for size, width in values["channels"].items()}})

    @property
    def classes(self) -> int:
        """Number of classes: always 0."""
        return 0

    @property
    def resolution(self) -> int:
        """Width and height of the images in pixels."""
        return max(self.channels)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Size of each layer in pixels, (L,): 1 + 2 pairs layers per block, and that of the last ToRGB."""
        per_block = 1 + 2 * self.pairs
        return *(size for size in self.channels for _ in range(per_block)), self.resolution

    def build(self) -> Network:
        """Build the network, with new weights."""
        return Network(
            self.z_dim,
            self.text,
            self.mapping_layers,
            self.channels,
            pairs=self.pairs,
            skip=self.skip,
            colours=self.colours,
        )


def infer(shapes: Shapes) -> Architecture:
    """Infer the architecture from the shapes of translated tensors.

    Raises:
        CheckpointError: tensors that determine the architecture are missing, or of inconsistent shapes.
    """
    shapes = Watched(shapes)
    sizes = numbers(shapes, r"synthesis\.b(\d{1,6})\.convs1\.0\.bias")
    if not sizes or sizes != [sizes[0] << i for i in range(len(sizes))] or sizes[0] <= 2 * BANDWIDTH:
        raise CheckpointError(
            f"a {FAMILY} has blocks of 8, 16, 32 ... pixels, but this file has {sizes[:12] or 'none'}"
        )
    first, last = sizes[0], sizes[-1]
    mapping = count_numbered(shapes, r"mapping\.mlp\.fc(\d{1,2})\.weight", FAMILY, "mapping layers")
    convolutions = rf"synthesis\.b{first}\.convs1\.(\d{{1,3}})\.bias"
    layers = count_numbered(shapes, convolutions, FAMILY, f"layers of block b{first}")
    try:
        z_dim = shapes["mapping.mlp.fc0.weight"][1]
        architecture = Architecture(
            z_dim=z_dim,
            text=shapes[f"synthesis.b{first}.input.affine.weight"][1] - z_dim,
            mapping_layers=mapping,
            channels={size: shapes[f"synthesis.b{size}.convs1.0.bias"][0] for size in sizes},
            pairs=layers // 2,
            skip=any(f"synthesis.b{size}.torgb.weight" in shapes for size in sizes[:-1]),
            colours=shapes[f"synthesis.b{last}.torgb.weight"][0],
        )
    except KeyError as error:
        raise lacking(FAMILY, error) from None
    except IndexError:
        raise wrong_dimensions(shapes, FAMILY) from None
    check_channels(FAMILY, architecture.colours)
    widths = architecture.channels.values()
    if min(z_dim, architecture.pairs, *widths) < 1 or architecture.text < 0:
        raise inconsistent(shapes, FAMILY, asdict(architecture))
    if any(width % GROUPS for width in widths):
        raise CheckpointError(
            f"the blocks of this {FAMILY} have {', '.join(map(str, widths))} channels; only multiples of "
            f"{GROUPS}, the groups of its normalisation, are supported"
        )
    return architecture


def examine(part: Part) -> Examined | None:
    """Return the sizes and weights of a StyleGAN-T; None if no layout fits.

    Raises:
        CheckpointError: tensors that determine the architecture are missing, or of inconsistent shapes.
    """
    layout = find(LAYOUTS, part.tensors)
    if layout is None:
        return None
    translated = layout.translate(part.tensors)
    with as_stored(layout, translated):
        architecture = infer({name: tuple(tensor.shape) for name, tensor in translated.tensors.items()})
    text = f"pictures depend on a text embedding of {architecture.text} numbers (config: text)"
    return describe_checkpoint(
        FAMILY,
        layout,
        architecture,
        translated,
        layers=len(architecture.sizes),
        code_size=architecture.z_dim,
        channels=architecture.colours,
        assumptions=(CONSTANTS, *((text,) if architecture.text else ())),
    )
