"""Infer the architecture of lucidrains' StyleGAN2 from the shapes of its tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from ....core.checkpoints import Part
from ....core.checkpoints.detect import Examined
from ....core.errors import CheckpointError
from ..shared.attention import HEADS
from ..shared.layouts import Shapes, find
from ..shared.sizes import Watched, count_numbered, lacking, wrong_dimensions
from ..shared.spelling import as_stored
from ..shared.state_dicts import check_channels, describe_checkpoint
from .layouts import ALONE, LAYOUTS, TRAINED
from .network import Network

FAMILY = "StyleGAN2 (lucidrains)"
NO_AVERAGE = "the file has no moving average of the weights (SE and GE): S and G as trained are used"


@dataclass(frozen=True)
class Architecture:
    """Hold the sizes and options of a network, the arguments of network.Network."""

    size: int
    mapping_layers: int
    initial: int
    widths: tuple[int, ...]
    attention: tuple[int, ...]
    colours: int = 3
    constant: bool = True
    blurred: bool = True

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> Self:
        """Build an architecture from the values of asdict(), which may have passed through JSON."""
        return cls(**{**values, **{name: tuple(values[name]) for name in ("widths", "attention")}})

    @property
    def z_dim(self) -> int:
        """Width Z of z, which is that of w."""
        return self.size

    @property
    def classes(self) -> int:
        """Number of classes: always 0."""
        return 0

    @property
    def layers(self) -> int:
        """Number of layers L, one per block: log2(resolution) - 1."""
        return len(self.widths)

    @property
    def resolution(self) -> int:
        """Width and height of the images in pixels."""
        return int(4 * 2 ** (len(self.widths) - 1))

    def build(self) -> Network:
        """Build the network, with new weights."""
        return Network(
            self.size,
            self.mapping_layers,
            self.initial,
            self.widths,
            self.colours,
            self.attention,
            constant=self.constant,
            blurred=self.blurred,
        )


def infer(shapes: Shapes) -> Architecture:
    """Infer the architecture from the shapes of translated tensors.

    Raises:
        CheckpointError: tensors that determine the architecture are missing, or of inconsistent shapes.
    """
    shapes = Watched(shapes)
    blocks = range(count_numbered(shapes, r"blocks\.(\d{1,4})\.conv1\.weight", FAMILY, "blocks"))
    mapping = count_numbered(shapes, r"mapping\.fc(\d{1,4})\.weight", FAMILY, "mapping layers")
    try:
        attention = [shapes.get(f"blocks.{i}.attention.attend.queries.weight", (0,))[0] for i in blocks]
        architecture = Architecture(
            size=shapes["mapping.fc0.weight"][1],
            mapping_layers=mapping,
            initial=shapes["initial.weight"][0],
            widths=tuple(shapes[f"blocks.{i}.conv1.weight"][0] for i in blocks),
            attention=tuple(attention),
            colours=shapes["blocks.0.rgb.weight"][0],
            constant="initial.from_code" not in shapes,
            blurred=any(name.endswith(".rgb.blur") for name in shapes),
        )
    except KeyError as error:
        raise lacking(FAMILY, error) from None
    except IndexError:
        raise wrong_dimensions(shapes, FAMILY) from None
    check_channels(FAMILY, architecture.colours, allowed=(3, 4))
    if min(architecture.size, architecture.initial, *architecture.widths) < 1 or any(
        width % HEADS for width in attention
    ):
        raise CheckpointError(f"the tensors of this {FAMILY} have inconsistent shapes")
    return architecture


def examine(part: Part) -> Examined | None:
    """Return the sizes and weights of a StyleGAN2 by lucidrains in any layout; None if no layout fits.

    Raises:
        CheckpointError: tensors that determine the architecture are missing, or of inconsistent shapes.
    """
    layout = find(LAYOUTS, part.tensors)
    if layout is None:
        return None
    translated = layout.translate(part.tensors)
    shapes = {name: tuple(tensor.shape) for name, tensor in translated.tensors.items()}
    if layout is ALONE and not any(name.startswith("mapping.") for name in shapes):
        raise CheckpointError(
            f"this {FAMILY} is saved without its mapping network (S or SE); "
            "give the whole model_N.pt that training wrote"
        )
    with as_stored(layout, translated):
        architecture = infer(shapes)
    return describe_checkpoint(
        FAMILY,
        layout,
        architecture,
        translated,
        layers=architecture.layers,
        code_size=architecture.size,
        channels=architecture.colours,
        assumptions=() if layout is not TRAINED else (NO_AVERAGE,),
    )
