"""Infer the architecture of a StyleGAN3 from its tensors and its stored settings."""

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
from ..shared.sizes import Watched, wrong_dimensions
from ..shared.state_dicts import check_channels, describe_checkpoint
from .layouts import LAYOUTS
from .network import LayerSizes, Network, Synthesis
from .sampling import MAX_TAPS, Sampling, number, sampling_from_settings, sampling_from_shapes

CLAMP = 256.0
SCALE = 0.25
LAYER = r"synthesis\.L(\d{1,3})_(\d{1,6})_(\d{1,6})"

MAX_SIZE = 2**20  # of every number in a stored architecture
MAX_DEPTH = 100  # layers of the mapping network, or of the synthesis network
Shapes = MappingType[str, tuple[int, ...]]


@dataclass(frozen=True)
class Architecture:
    """Hold the sizes and options of a network.

    Attributes:
        z_dim, w_dim: widths Z of z and D of w.
        mapping_layers, mapping_width: number of layers of the mapping network, and width of hidden ones.
        classes: number of classes Y; 0 if unconditional.
        layers: L0, L1, ..., the last of which is ToRGB.
        rates: sampling rate of each layer's output, in samples per image width.
        bandwidth: of the Fourier features, in cycles per image width.
        output_scale: factor that brings the output of the last layer to [-1, 1].
        clamp: limit of the absolute output of layers, or None.
        lr_multiplier: factor of the mapping network's stored weights.
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
        """Build an architecture from the values of asdict(), which may have passed through JSON.

        Raises:
            CheckpointError: they are not those of a StyleGAN3.
        """
        try:
            architecture = TypeAdapter(cls).validate_python(dict(values))
        except ValidationError as error:
            first = error.errors()[0]
            reason = reason_of(first["type"], first["msg"], first.get("ctx", {}))
            raise CheckpointError(
                f"the architecture stored in the file: {'.'.join(str(p) for p in first['loc'])}: {reason}"
            ) from None
        layers, rates = architecture.layers, architecture.rates
        sizes = [architecture.z_dim, architecture.w_dim, architecture.mapping_width, *rates]
        sizes.append(architecture.mapping_layers)
        sizes += [
            size
            for layer in layers
            for name, size in asdict(layer).items()
            if name not in ("up_taps", "down_taps", "radial")
        ]
        lengths = [taps for layer in layers for taps in (layer.up_taps, layer.down_taps)]
        if (
            max(*sizes, len(layers)) > MAX_SIZE
            or max(architecture.mapping_layers, len(layers)) > MAX_DEPTH
            or max(lengths, default=0) > MAX_TAPS
        ):
            raise CheckpointError(
                "the architecture stored in the file is larger than supported: up to "
                f"{MAX_DEPTH} layers, sizes up to {MAX_SIZE} and filters up to {MAX_TAPS} taps"
            )
        if len(layers) < 2 or len(layers) != len(rates) or min(sizes) < 1 or not architecture.bandwidth > 0.0:
            raise CheckpointError(
                "the architecture stored in the file is not that of a StyleGAN3, which has two or more "
                "layers, a sampling rate for each, and no size below 1"
            )
        return architecture

    @property
    def resolution(self) -> int:
        """Width and height of the images in pixels."""
        return self.layers[-1].after

    @property
    def codes(self) -> int:
        """Number of layers L of a code: one for the Fourier features, and one per convolution."""
        return len(self.layers) + 1

    def build(self) -> Network:
        """Build the network, with new weights."""
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
    """Infer the architecture from tensors with NVIDIA's names.

    Args:
        tensors: of the state dict. Only the values of the first filter are read; of the others the shapes
            suffice.
        settings: NVIDIA's constructor arguments, if the file stores them.

    Raises:
        CheckpointError: tensors that determine the architecture are missing or inconsistent.
    """
    shapes = Watched({name: tuple(tensor.shape) for name, tensor in tensors.items()})
    names = _layer_names(shapes)
    mapping = sorted(
        int(m[1]) for name in shapes if (m := re.fullmatch(r"mapping\.fc(\d{1,2})\.weight", name))
    )
    if not mapping or mapping != list(range(len(mapping))):
        raise CheckpointError(
            f"a StyleGAN3 has mapping layers 0, 1, 2 ..., but this file has {mapping or 'none'}"
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
    except KeyError as error:
        raise CheckpointError(f"this StyleGAN3 lacks the tensor {error}") from None
    except (IndexError, ValueError):
        raise wrong_dimensions(shapes, "StyleGAN3") from None
    mapping_settings = settings.get("mapping_kwargs")
    z_dim = inputs - (w_dim if classes else 0)
    if min(z_dim, w_dim, width, *channels, *(layer.kernel for layer in layers)) < 1:
        raise CheckpointError("the tensors of this StyleGAN3 have inconsistent shapes")
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
        lr_multiplier=number(
            mapping_settings if isinstance(mapping_settings, MappingType) else {}, "lr_multiplier", 0.01
        ),
    )


def examine(part: Part) -> Examined | None:
    """Return the sizes, classes and weights of a StyleGAN3; None if no layout fits.

    Raises:
        CheckpointError: tensors or settings that determine the architecture are missing or invalid.
    """
    layout = find(LAYOUTS, part.tensors)
    if layout is None:
        return None
    if part.settings.get("square") is False:
        raise CheckpointError(
            "the pictures of this StyleGAN3 are not square (square=False, as in StyleGAN-Human); "
            "StyleGAN3 is supported for squares only. StyleGAN-Human's StyleGAN2 and StyleGAN files are read"
        )
    translated = layout.translate(part.tensors)
    stored = part.settings.get("network")
    architecture = (
        Architecture.from_plain(stored)
        if isinstance(stored, MappingType)
        else infer(translated.tensors, part.settings)
    )
    colours = architecture.layers[-1].outputs
    check_channels("StyleGAN3", colours)
    return describe_checkpoint(
        "StyleGAN3",
        layout,
        architecture,
        translated,
        layers=architecture.codes,
        code_size=architecture.w_dim,
        channels=colours,
    )


def _layer_names(shapes: Shapes) -> list[str]:
    """Return the names of the layers, such as `synthesis.L0_36_512`, in order."""
    numbers = {m[0]: int(m[1]) for name in shapes if (m := re.match(LAYER + r"(?=\.)", name))}
    names = sorted(numbers, key=lambda name: numbers[name])
    if len(names) < 2 or [numbers[name] for name in names] != list(range(len(names))):
        listed = ", ".join(name.removeprefix("synthesis.") for name in names[:20])
        raise CheckpointError(f"a StyleGAN3 has layers L0, L1, L2 ..., but this file has {listed or 'none'}")
    return names


def _sampling(
    names: list[str], tensors: MappingType[str, Tensor], settings: MappingType[str, Any]
) -> Sampling:
    """Compute the sampling from stored constructor arguments, or infer it from names and filters."""
    sizes = tuple(int(name.split("_")[-2]) for name in names)
    if "img_resolution" in settings:
        sampling = sampling_from_settings(settings)
        if sampling.sizes != sizes:
            by_settings, by_tensors = (", ".join(map(str, row)) for row in (sampling.sizes, sizes))
            raise CheckpointError(
                "by the settings stored in the file, the layers of this StyleGAN3 are "
                f"{by_settings} pixels wide, but by its tensors {by_tensors}"
            )
        return sampling
    lengths = [
        tuple(
            tensors[key].shape[0] if (key := f"{name}.{direction}_filter") in tensors else 0
            for direction in ("up", "down")
        )
        for name in names[:-1]
    ]
    first = tensors.get(f"{names[0]}.up_filter")
    return sampling_from_shapes(
        sizes,
        [(up, down) for up, down in lengths],
        None if first is None or first.ndim != 1 else first.double().numpy(),
    )
