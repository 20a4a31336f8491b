"""Reads the architecture of a StyleGAN2 off the shapes of its tensors; nothing has to be told."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from ....core.checkpoints import Part
from ....core.errors import CheckpointError
from ....core.recognition import Examined
from ..shared.fitting import compare
from ..shared.layouts import find
from .layouts import LAYOUTS
from .network import Network


@dataclass(frozen=True)
class Architecture:
    """Sizes of a network; `channels` maps each resolution to its width."""

    channels: dict[int, int]
    z_dim: int
    w_dim: int
    mapping_layers: int
    mapping_width: int
    classes: int
    clamp: float | None = None

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> Self:
        """From asdict(), which may have been JSON in between."""
        return cls(**{**values, "channels": {int(size): width for size, width in values["channels"].items()}})

    @property
    def resolution(self) -> int:
        """Width and height of the images."""
        return max(self.channels)

    @property
    def layers(self) -> int:
        """L: two per resolution, 2 log2(resolution) - 2."""
        return 2 * len(self.channels)

    def build(self) -> Network:
        """The network, with new weights."""
        return Network(self.channels, self.z_dim, self.w_dim, self.mapping_layers, classes=self.classes, mapping_width=self.mapping_width)


def infer(shapes: Mapping[str, tuple[int, ...]], clamp: float | None = None) -> Architecture:
    """The architecture behind NVIDIA's tensor names.

    Raises:
        CheckpointError: tensors that decide about it are missing.
    """
    channels = {int(m[1]): shape[0] for name, shape in shapes.items() if (m := re.fullmatch(r"synthesis\.b(\d+)\.conv1\.bias", name))}
    mapping = sorted(int(m[1]) for name in shapes if (m := re.fullmatch(r"mapping\.fc(\d+)\.weight", name)))
    sizes = [4 * 2**i for i in range(len(channels))]
    if not channels or sorted(channels) != sizes:
        raise CheckpointError(f"a StyleGAN2 has blocks for 4, 8, 16 ... pixels; this file has them for {sorted(channels) or 'none'}")
    if not mapping or mapping != list(range(len(mapping))):
        raise CheckpointError(f"a StyleGAN2 has mapping layers 0, 1, 2 ...; this file has {mapping or 'none'}")
    try:
        w_dim = shapes["synthesis.b4.conv1.affine.weight"][1]
        classes = shapes["mapping.embed.weight"][1] if "mapping.embed.weight" in shapes else 0
        first = shapes["mapping.fc0.weight"]
        return Architecture(
            channels=dict(sorted(channels.items())),
            z_dim=first[1] - (w_dim if classes else 0),
            w_dim=w_dim,
            mapping_layers=len(mapping),
            mapping_width=first[0],
            classes=classes,
            clamp=clamp,
        )
    except (KeyError, IndexError) as error:
        raise CheckpointError(f"a StyleGAN2 generator without {error}") from None


def examine(part: Part) -> Examined | None:
    """Sizes, classes and weights of a StyleGAN2 in any layout; None if it is in none.

    Raises:
        CheckpointError: tensors or settings that decide about the architecture are missing or senseless.
    """
    layout = find(LAYOUTS, part.tensors)
    if layout is None:
        return None
    translated = layout.translate(part.tensors)
    shapes = {name: tuple(tensor.shape) for name, tensor in translated.tensors.items()}
    architecture = infer(shapes, _clamp(part.settings))
    misfits = compare(architecture.build, translated.tensors, translated.origin)
    return Examined(
        family="StyleGAN2",
        layout=layout.name,
        architecture=asdict(architecture),
        resolution=architecture.resolution,
        layers=architecture.layers,
        latent_size=architecture.z_dim,
        code_size=architecture.w_dim,
        tensors=translated.tensors,
        missing=misfits.missing,
        superfluous=(*translated.unknown, *misfits.superfluous),
        misshapen=misfits.misshapen,
        classes=architecture.classes,
    )


def _clamp(settings: Mapping[str, Any]) -> float | None:
    """What convolutions are clamped to: in our own headers, or in NVIDIA's constructor arguments."""
    clamp = settings.get("conv_clamp")
    for key in ("network", "synthesis_kwargs"):
        nested = settings.get(key)
        if clamp is None and isinstance(nested, Mapping):
            clamp = nested.get("conv_clamp", nested.get("clamp"))
    if clamp is None:
        return None
    if isinstance(clamp, bool) or not isinstance(clamp, int | float) or not clamp > 0.0:
        raise CheckpointError(f"conv_clamp stored in the file is {clamp!r}, expected a number above 0")
    return float(clamp)
