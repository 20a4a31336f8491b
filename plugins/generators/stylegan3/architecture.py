"""Infer the architecture of a StyleGAN3 from its tensors and stored settings."""

from __future__ import annotations

import re
from collections.abc import Mapping as MappingType
from dataclasses import asdict, dataclass
from typing import Any, Self

from pydantic import TypeAdapter, ValidationError
from torch import Tensor

from ....core.checkpoints import Part
from ....core.checkpoints.detect import Examined
from ....core.config.faults import reason_of
from ....core.errors import CheckpointError
from ..shared.layouts import find
from ..shared.mapping import Mapping
from ..shared.state_dicts import describe_checkpoint
from .layouts import LAYOUTS
from .network import LayerSizes, Network, Synthesis
from .sampling import FILTER, Sampling, by_settings, by_shapes, number

CLAMP = 256.0
SCALE = 0.25
LAYER = r"synthesis\.L(\d{1,3})_(\d{1,6})_(\d{1,6})"

SIZE = 2**20  # of anything in a stored architecture
DEPTH = 100  # layers of the mapping, or of the synthesis
Shapes = MappingType[str, tuple[int, ...]]


@dataclass(frozen=True)
class Architecture:
    """What a network is built from.

    Attributes:
        layers: L0, L1, ..., the last of which is ToRGB.
        rates: of those layers, in samples per width of the picture.
        bandwidth: of the Fourier features, in cycles per width of the picture.
        output_scale: from what the last layer gives to [-1, 1].
        clamp: of what layers give, or None.
        lr_multiplier: by which the mapping's stored weights are too large.
    """

    z_dim: int
    w_dim: int
    mapping_layers: int
    mapping_width: int
    classes: int
    layers: tuple[LayerSizes, ...]
    rates: tuple[int, ...]
    bandwidth: float
    output_scale: float = SCALE
    clamp: float | None = CLAMP
    lr_multiplier: float = 0.01

    @classmethod
    def from_plain(cls, values: MappingType[str, Any]) -> Self:
        """From asdict(), which may have been JSON in between.

        Raises:
            CheckpointError: it is something else.
        """
        try:
            found = TypeAdapter(cls).validate_python(dict(values))
        except ValidationError as error:
            first = error.errors()[0]
            reason = reason_of(first["type"], first["msg"], first.get("ctx", {}))
            raise CheckpointError(
                f"the architecture stored in the file: {'.'.join(str(p) for p in first['loc'])}: {reason}"
            ) from None
        counts = [found.z_dim, found.w_dim, found.mapping_layers, found.mapping_width, *found.rates]
        counts += [
            value
            for layer in found.layers
            for name, value in asdict(layer).items()
            if name not in ("up_taps", "down_taps", "radial")
        ]
        lengths = [taps for layer in found.layers for taps in (layer.up_taps, layer.down_taps)]
        if (
            max(*counts, len(found.layers)) > SIZE
            or max(found.mapping_layers, len(found.layers)) > DEPTH
            or max(lengths, default=0) > FILTER
        ):
            raise CheckpointError("the architecture stored in the file is larger than any StyleGAN3")
        if (
            len(found.layers) < 2
            or len(found.layers) != len(found.rates)
            or min(counts) < 1
            or not found.bandwidth > 0.0
        ):
            raise CheckpointError("the architecture stored in the file is none of a StyleGAN3")
        return found

    @property
    def resolution(self) -> int:
        """Width and height of the images."""
        return self.layers[-1].after

    @property
    def codes(self) -> int:
        """L: one for the Fourier features, one for each layer."""
        return len(self.layers) + 1

    def build(self) -> Network:
        """The network, with new weights."""
        mapping = Mapping(
            self.z_dim,
            self.w_dim,
            self.mapping_layers,
            classes=self.classes,
            width=self.mapping_width,
            lr_multiplier=self.lr_multiplier,
        )
        return Network(mapping, Synthesis(self.layers, self.w_dim, self.rates[0], self.bandwidth))


def infer(tensors: MappingType[str, Tensor], settings: MappingType[str, Any]) -> Architecture:
    """The architecture behind NVIDIA's tensor names.

    Args:
        tensors: by those names; of the values only those of one filter are looked at.
        settings: constructor arguments, where the file stores them.

    Raises:
        CheckpointError: tensors that decide about it are missing, or it cannot be one network.
    """
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    names = _layer_names(shapes)
    mapping = sorted(
        int(m[1]) for name in shapes if (m := re.fullmatch(r"mapping\.fc(\d{1,2})\.weight", name))
    )
    if not mapping or mapping != list(range(len(mapping))):
        raise CheckpointError(
            f"a StyleGAN3 has mapping layers 0, 1, 2 ...; this file has {mapping or 'none'}"
        )
    try:
        sampling = _sampling(names, tensors, settings)
        channels = [shapes["synthesis.input.weight"][0], *(int(name.rsplit("_", 1)[1]) for name in names)]
        sizes = [sampling.sizes[0], *sampling.sizes]
        layers = []
        for i, name in enumerate(names):
            up, down = sampling.factors(i)
            up_taps, down_taps = sampling.filters(i)
            radial = down_taps > 0 and len(shapes[f"{name}.down_filter"]) == 2
            kernel = shapes[f"{name}.weight"][2]
            layers.append(
                LayerSizes(
                    channels[i],
                    channels[i + 1],
                    sizes[i],
                    sizes[i + 1],
                    kernel,
                    up,
                    down,
                    up_taps,
                    down_taps,
                    radial,
                )
            )
        w_dim = shapes[f"{names[0]}.affine.weight"][1]
        classes = shapes["mapping.embed.weight"][1] if "mapping.embed.weight" in shapes else 0
        width, inputs = shapes["mapping.fc0.weight"]
    except (KeyError, IndexError, ValueError) as error:
        raise CheckpointError(f"a StyleGAN3 generator without {error}") from None
    nested = settings.get("mapping_kwargs")
    z_dim = inputs - (w_dim if classes else 0)
    if channels[-1] not in (1, 3):
        raise CheckpointError(f"this StyleGAN3 gives images of {channels[-1]} channels; 3 are needed, or 1")
    if min(z_dim, w_dim, width, *channels, *(layer.kernel for layer in layers)) < 1:
        raise CheckpointError("the tensors of this StyleGAN3 have shapes that do not go together")
    return Architecture(
        z_dim=z_dim,
        w_dim=w_dim,
        mapping_layers=len(mapping),
        mapping_width=width,
        classes=classes,
        layers=tuple(layers),
        rates=sampling.rates,
        bandwidth=sampling.bandwidth,
        output_scale=number(settings, "output_scale", SCALE),
        clamp=None if settings.get("conv_clamp", CLAMP) is None else number(settings, "conv_clamp", CLAMP),
        lr_multiplier=number(nested if isinstance(nested, MappingType) else {}, "lr_multiplier", 0.01),
    )


def examine(part: Part) -> Examined | None:
    """Sizes, classes and weights of a StyleGAN3; None if it is none.

    Raises:
        CheckpointError: tensors or settings that decide about the architecture are missing or senseless.
    """
    layout = find(LAYOUTS, part.tensors)
    if layout is None:
        return None
    translated = layout.translate(part.tensors)
    stored = part.settings.get("network")
    architecture = (
        Architecture.from_plain(stored)
        if isinstance(stored, MappingType)
        else infer(translated.tensors, part.settings)
    )
    return describe_checkpoint(
        "StyleGAN3", layout, architecture, translated, layers=architecture.codes, code_size=architecture.w_dim
    )


def _layer_names(shapes: Shapes) -> list[str]:
    """The layers in their order: `synthesis.L0_36_512` and so on."""
    found = {m[0]: int(m[1]) for name in shapes if (m := re.match(LAYER + r"(?=\.)", name))}
    names = sorted(found, key=lambda name: found[name])
    if len(names) < 2 or [found[name] for name in names] != list(range(len(names))):
        shown = ", ".join(name.removeprefix("synthesis.") for name in names[:20])
        raise CheckpointError(f"a StyleGAN3 has layers L0, L1, L2 ...; this file has {shown or 'none'}")
    return names


def _sampling(
    names: list[str], tensors: MappingType[str, Tensor], settings: MappingType[str, Any]
) -> Sampling:
    """From the constructor arguments where they are stored, else from names and filters."""
    sizes = tuple(int(name.split("_")[-2]) for name in names)
    if "img_resolution" in settings:
        sampling = by_settings(settings)
        if sampling.sizes != sizes:
            told, seen = (", ".join(map(str, row)) for row in (sampling.sizes, sizes))
            raise CheckpointError(
                f"by the settings stored in the file the layers of this StyleGAN3 are {told} pixels wide, "
                f"by its tensors {seen}"
            )
        return sampling
    lengths = [
        tuple(
            tensors[key].shape[0] if (key := f"{name}.{end}_filter") in tensors else 0
            for end in ("up", "down")
        )
        for name in names[:-1]
    ]
    first = tensors.get(f"{names[0]}.up_filter")
    return by_shapes(
        sizes,
        [(up, down) for up, down in lengths],
        None if first is None or first.ndim != 1 else first.double().numpy(),
    )
