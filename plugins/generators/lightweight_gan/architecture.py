"""Infer the architecture of a lightweight-gan from the shapes of its tensors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from ....core.checkpoints import Part
from ....core.checkpoints.detect import Examined
from ....core.errors import CheckpointError
from ..shared.attention import HEADS
from ..shared.layouts import Shapes, Translated, find
from ..shared.sizes import count_numbered, lacking
from ..shared.spelling import as_stored
from ..shared.state_dicts import check_channels, describe_checkpoint
from .layouts import EITHER, LAYOUTS, TRAINED
from .network import Network

EXCITED = (128, 256, 512, 1024)  # by the levels of 16, 32, 64 and 128 pixels
NO_AVERAGE = "the file has no moving average of the weights (GE): G as trained is used"
MOST_LAYERS = 12  # of pictures of 16384 pixels


@dataclass(frozen=True)
class Architecture:
    """Hold the sizes and options of a network, the arguments of network.Network."""

    z_dim: int
    widths: tuple[int, ...]
    size: int
    inside: tuple[int, ...]
    attention: tuple[tuple[int, int], ...]
    colours: int = 3
    shuffled: bool = True
    blurred: bool = False
    noisy: bool = True
    frequencies: bool = False

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> Self:
        """Build an architecture from the values of asdict(), which may have passed through JSON."""
        attention = tuple((int(linear), int(local)) for linear, local in values["attention"])
        rows = {name: tuple(values[name]) for name in ("widths", "inside")}
        return cls(**{**values, **rows, "attention": attention})

    @property
    def classes(self) -> int:
        """Number of classes: always 0."""
        return 0

    @property
    def resolution(self) -> int:
        """Width and height of the images in pixels."""
        return int(4 * 2 ** (len(self.widths) - 1))

    @property
    def excited(self) -> tuple[int, ...]:
        """Sizes of the levels that are excited."""
        return tuple(size for size in EXCITED if size <= self.resolution)

    @property
    def layers(self) -> int:
        """Number of layers L: one for the feature maps, and one for each excitation."""
        return 1 + len(self.excited)

    def build(self) -> Network:
        """Build the network, with new weights."""
        return Network(
            self.z_dim,
            self.widths,
            self.size,
            self.inside,
            self.attention,
            self.colours,
            shuffled=self.shuffled,
            blurred=self.blurred,
            noisy=self.noisy,
            frequencies=self.frequencies,
        )


def infer(shapes: Shapes) -> Architecture:
    """Infer the architecture from the shapes of translated tensors.

    Raises:
        CheckpointError: tensors that determine the architecture are missing, or of inconsistent shapes.
    """
    layers = range(count_numbered(shapes, r"layers\.(\d{1,3})\..*", "lightweight-gan", "layers"))
    if len(layers) > MOST_LAYERS:
        raise CheckpointError(
            f"this lightweight-gan has {len(layers)} layers; at most {MOST_LAYERS} are supported"
        )
    try:
        z_dim, initial = shapes["initial.weight"][:2]
        convolutions = [shapes[f"layers.{i}.conv.weight"] for i in layers]
        inside = [shapes.get(f"layers.{i}.excitation.squeeze.weight", (0,))[0] for i in layers]
        attention = [
            (
                shapes.get(f"layers.{i}.attention.queries.weight", (0,))[0],
                shapes.get(f"layers.{i}.attention.local_queries.weight", (0,))[0],
            )
            for i in layers
        ]
        architecture = Architecture(
            z_dim=z_dim,
            widths=(initial // 2, *(outputs // 2 for outputs, *_ in convolutions)),
            size=convolutions[0][2],
            inside=tuple(inside),
            attention=tuple(attention),
            colours=shapes["output.weight"][0],
            shuffled="layers.0.expand.weight" in shapes,
            blurred="layers.0.blur" in shapes,
            noisy="layers.0.noise" in shapes,
            frequencies=any(name.endswith(".excitation.frequencies") for name in shapes),
        )
    except KeyError as error:
        raise lacking("lightweight-gan", error) from None
    except (IndexError, ValueError):
        raise CheckpointError(
            "a tensor that determines the sizes of this lightweight-gan has the wrong number of dimensions"
        ) from None
    _check(architecture)
    return architecture


def _check(architecture: Architecture) -> None:
    """Refuse sizes that no lightweight-gan has.

    Raises:
        CheckpointError: the message says which.
    """
    check_channels("lightweight-gan", architecture.colours)
    sources = {size // 8 for size in architecture.excited}
    wanted = [8 * 2**i in sources for i in range(len(architecture.inside))]
    if [width > 0 for width in architecture.inside] != wanted:
        raise CheckpointError(
            "a lightweight-gan has an excitation after the levels of "
            f"{sorted(sources) or 'no'} pixels at this size, but this file has others"
        )
    uneven = any(width % HEADS for widths in architecture.attention for width in widths)
    if min(architecture.z_dim, architecture.size, *architecture.widths) < 1 or uneven:
        raise CheckpointError("the tensors of this lightweight-gan have inconsistent shapes")


def settled(translated: Translated) -> Translated:
    """Return the tensors with those named that the stored names alone do not tell apart.

    - The fourth step of a layer is noise (1,) if there is a fifth, else the scale of a normalisation.
    - `to_q` is for linear attention, unless there is a `to_lin_q` or a `to_kv` of local attention too.
    """
    names = {}
    has_fifth = any(re.search(r"layers\.\d+\.0\.4\.", stored) for stored in translated.origin.values())
    for name in translated.tensors:
        start, either, _ = name.partition(EITHER)
        if not either:
            names[name] = name
        elif start.endswith("attention."):
            local = any(
                f"{start}{other}.weight" in translated.tensors
                for other in ("queries", "local_keys_and_values")
            )
            names[name] = f"{start}{'local_queries' if local else 'queries'}.weight"
        else:
            names[name] = f"{start}{'noise' if has_fifth else 'norm.scale'}"
    return replace(
        translated,
        tensors={names[name]: tensor for name, tensor in translated.tensors.items()},
        origin={names[name]: stored for name, stored in translated.origin.items()},
    )


def examine(part: Part) -> Examined | None:
    """Return the sizes and weights of a lightweight-gan in any layout; None if no layout fits.

    Raises:
        CheckpointError: tensors that determine the architecture are missing or inconsistent, or the version
            of the library is one that computes otherwise.
    """
    layout = find(LAYOUTS, part.tensors)
    if layout is None:
        return None
    if str(part.settings.get("version", "")).startswith("0.15."):
        raise CheckpointError(
            "lightweight-gan 0.15, which wrote this file, adds its excitations instead of multiplying by "
            "them; only files of 0.16 and later are supported"
        )
    translated = settled(layout.translate(part.tensors))
    with as_stored(layout, translated):
        architecture = infer({name: tuple(tensor.shape) for name, tensor in translated.tensors.items()})
    return describe_checkpoint(
        "lightweight-gan",
        layout,
        architecture,
        translated,
        layers=architecture.layers,
        code_size=architecture.z_dim,
        channels=architecture.colours,
        assumptions=(NO_AVERAGE,) if layout is TRAINED else (),
    )
