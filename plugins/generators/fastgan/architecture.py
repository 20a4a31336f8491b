"""Infer the architecture of a FastGAN from the shapes of its tensors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from ....core.checkpoints import Part
from ....core.checkpoints.detect import Examined
from ....core.errors import CheckpointError
from ....core.messages import shown
from ..shared.layouts import Shapes, Translated, find
from ..shared.sizes import Watched, lacking, numbers, wrong_dimensions
from ..shared.spelling import as_stored
from ..shared.state_dicts import check_channels, describe_checkpoint
from ..shared.unstored import NOTHING, Unstored
from .layouts import AMBIGUOUS, LAYOUTS, OWN, PROJECTED
from .network import Network

EXCITED = (64, 128, 256, 512)  # by the levels of 4, 8, 16 and 32 pixels
OPTIONAL = 128  # pixels from which a file may have levels above those of its pictures
BOUNDED = 1024  # pixels from which the authors' code applies tanh


@dataclass(frozen=True)
class Architecture:
    """Hold the sizes and options of a network.

    Attributes:
        normalised: whether z is divided by the root of its mean square, as projected-gan does.
        tanh: whether tanh is applied to the image.
        others: see network.Network.
    """

    z_dim: int
    widths: tuple[int, ...]
    doubled: tuple[bool, ...]
    excited: tuple[int, ...]
    colours: int = 3
    classes: int = 0
    spectral: bool = True
    biased: bool = False
    normalised: bool = False
    tanh: bool = False

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> Self:
        """Build an architecture from the values of asdict(), which may have passed through JSON."""
        return cls(**{**values, **{name: tuple(values[name]) for name in ("widths", "doubled", "excited")}})

    @property
    def resolution(self) -> int:
        """Width and height of the images in pixels."""
        return int(4 * 2 ** (len(self.widths) - 1))

    @property
    def layers(self) -> int:
        """Number of layers L: one for the feature maps, and one for each excitation."""
        return 1 + len(self.excited)

    def build(self) -> Network:
        """Build the network, with new weights."""
        return Network(
            self.z_dim,
            self.widths,
            self.doubled,
            self.excited,
            self.colours,
            self.classes,
            spectral=self.spectral,
            biased=self.biased,
        )


def infer(
    shapes: Shapes, *, projected: bool, tanh: bool | None = None, unstored: Unstored = NOTHING
) -> Architecture:
    """Infer the architecture from the shapes of translated tensors.

    Args:
        shapes: by the names used here.
        projected: whether z is normalised.
        tanh: whether the file states that tanh is applied to the image; None if it states nothing.
        unstored: what the config says; where it says nothing either, the size decides, as in the authors'
            code.

    Raises:
        CheckpointError: tensors that determine the architecture are missing, or of inconsistent shapes, or
            config and file contradict each other.
    """
    shapes = Watched(shapes)
    sizes = numbers(shapes, r"blocks\.(\d{1,5})\..*")
    if not sizes or sizes != [8 * 2**i for i in range(len(sizes))]:
        raise CheckpointError(
            f"a FastGAN has levels of 8, 16, 32 ... pixels, but this file has {sizes[:12] or 'none'}"
        )
    try:
        z_dim, initial = shapes["init.conv.weight"][:2]
        colours, last = shapes["output.weight"][:2]
        convolutions = [shapes[f"blocks.{size}.first.conv.weight"] for size in sizes]
        widths = [initial // 2, *(outputs // 2 for outputs, *_ in convolutions)]
        # projected-gan builds the level of 256 pixels for pictures of 128 too, and does not use it.
        ends = {len(widths), *(i + 1 for i in range(len(widths)) if 4 * 2**i >= OPTIONAL)}
        used = max((end for end in ends if widths[end - 1] == last), default=0)
    except KeyError as error:
        raise lacking("FastGAN", error) from None
    except (IndexError, ValueError):
        raise wrong_dimensions(shapes, "FastGAN") from None
    if used < 2 or min(z_dim, *widths[:used]) < 1:
        raise CheckpointError(
            f"the last convolution of this FastGAN takes {last} channels, "
            f"but its levels from 4 pixels up have {widths[:12]}"
        )
    check_channels("FastGAN", colours)
    sizes = sizes[: used - 1]
    return Architecture(
        z_dim=z_dim,
        widths=tuple(widths[:used]),
        doubled=tuple(any(name.startswith(f"blocks.{size}.second.") for name in shapes) for size in sizes),
        excited=tuple(size for size in EXCITED if size in sizes),
        colours=colours,
        classes=(shapes.get("embed") or (0,))[0],
        spectral=any(name.endswith(".conv.u") for name in shapes),
        biased="output.bias" in shapes,
        normalised=projected,
        tanh=unstored.settle("final_tanh", tanh, not projected and 4 * 2 ** (used - 1) >= BOUNDED),
    )


def _settled(translated: Translated) -> Translated:
    """Return the tensors with the ambiguous ones named by what they are in their block."""
    names = {}
    for name in translated.tensors:
        block, ambiguous, _ = name.partition(f"first.{AMBIGUOUS}")
        doubled = ambiguous and any(other.startswith(f"{block}second.") for other in translated.tensors)
        names[name] = f"{block}first.{'noise' if doubled else 'norm.scale'}" if ambiguous else name
    return Translated(
        {names[name]: tensor for name, tensor in translated.tensors.items()},
        {names[name]: stored for name, stored in translated.origin.items()},
        translated.unknown,
        translated.assumptions,
    )


def _without_unused(translated: Translated, architecture: Architecture) -> Translated:
    """Return the tensors without those of levels above the image, and a sentence on them."""
    above = [
        name
        for name in translated.tensors
        if (m := re.match(r"(?:blocks|excitations)\.(\d+)\.", name))
        and int(m[1]) > architecture.resolution
        and int(m[1]) in (4 * 2**i for i in range(16))
    ]
    sentence = f"the levels above {architecture.resolution} pixels in the file are not used for its pictures"
    return Translated(
        {name: tensor for name, tensor in translated.tensors.items() if name not in set(above)},
        translated.origin,
        translated.unknown,
        (*translated.assumptions, *((sentence,) if above else ())),
    )


def examine(part: Part, unstored: Unstored = NOTHING) -> Examined | None:
    """Return the sizes, classes and weights of a FastGAN in any layout; None if no layout fits.

    Args:
        part: of a checkpoint.
        unstored: what the config says of the network.

    Raises:
        CheckpointError: tensors that determine the architecture are missing, of inconsistent shapes, or
            contradict the config.
    """
    layout = find(LAYOUTS, part.tensors)
    if layout is None:
        return None
    translated = _settled(layout.translate(part.tensors))
    shapes = {name: tuple(tensor.shape) for name, tensor in translated.tensors.items()}
    unstored = unstored.beside(part.settings)
    header = part.settings.get("network")
    header = header if layout is OWN and isinstance(header, Mapping) else {}
    tanh = header.get("tanh")
    if tanh is not None and not isinstance(tanh, bool):
        raise CheckpointError(f"tanh stored in the file is {shown(tanh)}, expected true or false")
    with as_stored(layout, translated):
        architecture = infer(
            shapes,
            projected=layout is PROJECTED or header.get("normalised") is True,
            tanh=tanh,
            unstored=unstored,
        )
    left_open, ending = unstored.assumed({"final_tanh": tanh}), _ending(architecture)
    return describe_checkpoint(
        "FastGAN",
        layout,
        architecture,
        _without_unused(translated, architecture),
        layers=architecture.layers,
        code_size=architecture.z_dim,
        channels=architecture.colours,
        assumed={name: told or ending for name, told in left_open.items()},
    )


def _ending(architecture: Architecture) -> str:
    """Return the sentence on the last layer, which neither file nor config states."""
    return f"tanh is {'' if architecture.tanh else 'not '}applied to the picture (config: final_tanh)"
