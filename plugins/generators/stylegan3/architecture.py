"""Infer the architecture of a StyleGAN3 or StyleGAN-XL from its tensors and its stored settings."""

from __future__ import annotations

from collections.abc import Mapping as MappingType
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

import torch
from pydantic import TypeAdapter, ValidationError
from torch import Tensor

from ....core.checkpoints import Part
from ....core.checkpoints.detect import Examined
from ....core.config.faults import reason_of
from ....core.errors import CheckpointError
from ..shared.layouts import find
from ..shared.mapping import Mapping
from ..shared.sizes import Watched, count_numbered, lacking, wrong_dimensions
from ..shared.spelling import as_stored
from ..shared.state_dicts import check_channels, describe_checkpoint
from ..shared.unstored import NOTHING, Unstored
from .class_table import ClassTable
from .layouts import LAYOUTS, XL
from .network import CLAMP, LR_MLP, SCALE, LayerSizes, Network, Synthesis
from .sampling import MAX_TAPS, Sampling, number, sampling_from_settings, sampling_from_shapes
from .stages import assumptions, is_stage, layer_names, number_of

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
        table: rows and width of StyleGAN-XL's table of class features; None if there is none, as in StyleGAN3
            and in networks without classes. With a table, each class has its own mean w.
        numbers: numbers of the layers in their names; None is 0, 1, 2 ...
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
    lr_multiplier: float = LR_MLP
    table: tuple[int, int] | None = None
    numbers: tuple[int, ...] | None = None

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
        sizes += [architecture.mapping_layers, *(architecture.table or ())]
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
        if architecture.table is not None and not 1 <= architecture.classes <= architecture.table[0]:
            raise CheckpointError(
                "the architecture stored in the file is not that of a StyleGAN-XL: its table has "
                f"{architecture.table[0]} rows, for {architecture.classes} classes"
            )
        numbers = architecture.numbers
        if numbers is not None and (
            len(numbers) != len(layers)
            or list(numbers) != sorted(set(numbers))
            or not 0 <= numbers[0] <= numbers[-1] <= MAX_SIZE
        ):
            raise CheckpointError(
                f"the architecture stored in the file is not that of a StyleGAN3: its {len(layers)} layers "
                "need as many numbers, each larger than the one before"
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
            embedding=None if self.table is None else self.z_dim,
            embed=None if self.table is None else ClassTable(self.classes, *self.table, self.z_dim),
            lr_multiplier=self.lr_multiplier,
        )
        if self.table is not None:
            mapping.w_avg = torch.zeros(self.classes, self.w_dim)
        synthesis = Synthesis(self.layers, self.w_dim, self.rates[0], self.bandwidth, self.numbers)
        return Network(mapping, synthesis)


def infer(
    tensors: MappingType[str, Tensor],
    settings: MappingType[str, Any],
    unstored: Unstored = NOTHING,
    *,
    grown: bool = False,
) -> Architecture:
    """Infer the architecture from tensors with NVIDIA's names.

    Args:
        tensors: of the state dict. Only the values of the first filter are read; of the others the shapes
            suffice.
        settings: NVIDIA's constructor arguments, if the file stores them.
        unstored: what the config says of the network.
        grown: whether the network may have grown in super-resolution stages, as StyleGAN-XL does.

    Raises:
        CheckpointError: tensors that determine the architecture are missing or inconsistent, or settings
            contradict the config.
    """
    shapes = Watched({name: tuple(tensor.shape) for name, tensor in tensors.items()})
    names = layer_names(shapes, grown=grown)
    numbers = tuple(number_of(name) for name in names)
    mapping = count_numbered(shapes, r"mapping\.fc(\d{1,2})\.weight", "StyleGAN3", "mapping layers")
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
        table, classes = _classes(shapes)
        width, inputs = shapes["mapping.fc0.weight"]
    except KeyError as error:
        raise lacking("StyleGAN3", error) from None
    except (IndexError, ValueError):
        raise wrong_dimensions(shapes, "StyleGAN3") from None
    z_dim = inputs // 2 if table else inputs - (w_dim if classes else 0)
    if min(z_dim, w_dim, width, *channels, *(layer.kernel for layer in layers)) < 1:
        raise CheckpointError("the tensors of this StyleGAN3 have inconsistent shapes")
    return Architecture(
        z_dim=z_dim,
        w_dim=w_dim,
        mapping_layers=mapping,
        mapping_width=width,
        classes=classes,
        layers=tuple(layers),
        rates=sampling.rates,
        bandwidth=sampling.bandwidth,
        table=table,
        numbers=None if numbers == tuple(range(len(numbers))) else numbers,
        **_settled(_stated(settings), unstored),
    )


def _stated(settings: MappingType[str, Any]) -> dict[str, float | str | None]:
    """Return what NVIDIA's constructor arguments state of the fields of the config; None for nothing.

    Raises:
        CheckpointError: an argument is not a number above 0.
    """
    inner = settings.get("mapping_kwargs")
    mapping = inner if isinstance(inner, MappingType) else {}
    clamp = "none" if settings.get("conv_clamp", CLAMP) is None else number(settings, "conv_clamp", CLAMP)
    return {
        "output_scale": number(settings, "output_scale", SCALE) if "output_scale" in settings else None,
        "conv_clamp": clamp if "conv_clamp" in settings else None,
        "lr_mlp": number(mapping, "lr_multiplier", LR_MLP) if "lr_multiplier" in mapping else None,
    }


def _settled(stated: MappingType[str, Any], unstored: Unstored) -> dict[str, Any]:
    """Return the fields of Architecture that no tensor shows, as file, config or published code have them.

    Raises:
        CheckpointError: config and file contradict each other.
    """
    clamp = unstored.settle("conv_clamp", stated["conv_clamp"], CLAMP)
    return {
        "output_scale": unstored.settle("output_scale", stated["output_scale"], SCALE),
        "clamp": None if clamp == "none" else clamp,
        "lr_multiplier": unstored.settle("lr_mlp", stated["lr_mlp"], LR_MLP),
    }


def _converted(stored: MappingType[str, Any], unstored: Unstored) -> Architecture:
    """Return the architecture in a file that `model convert` wrote.

    Raises:
        CheckpointError: it is not one of a StyleGAN3, or contradicts the config.
    """
    architecture = Architecture.from_plain(stored)
    return replace(architecture, **_settled(_in_header(architecture), unstored))


def _in_header(architecture: Architecture) -> dict[str, float | str | None]:
    """Return what the header of a converted file says of the fields of the config."""
    return {
        "output_scale": architecture.output_scale,
        "conv_clamp": "none" if architecture.clamp is None else architecture.clamp,
        "lr_mlp": architecture.lr_multiplier,
    }


def examine(part: Part, unstored: Unstored = NOTHING) -> Examined | None:
    """Return the sizes, classes and weights of a StyleGAN3; None if no layout fits.

    Args:
        part: of a checkpoint.
        unstored: what the config says of the network.

    Raises:
        CheckpointError: tensors or settings that determine the architecture are missing or invalid, or
            contradict the config.
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
    unstored = unstored.beside(part.settings)
    stored = part.settings.get("network")
    with as_stored(layout, translated):
        architecture = (
            _converted(stored, unstored)
            if isinstance(stored, MappingType)
            else infer(translated.tensors, part.settings, unstored, grown=layout in XL)
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
        assumptions=assumptions(part.settings),
        assumed=_assumed(part.settings, architecture, unstored),
    )


def _assumed(
    settings: MappingType[str, Any], architecture: Architecture, unstored: Unstored
) -> dict[str, str]:
    """Return what neither file nor config states, with a sentence on each.

    Beside a constructor's arguments there is nothing to tell: those that are left out have the values of the
    published code.
    """
    if isinstance(settings.get("network"), MappingType):
        return unstored.assumed(_in_header(architecture))
    stated = _stated(settings)
    complete = "img_resolution" in settings and not is_stage(settings)
    return unstored.assumed(stated, () if complete else stated)


def _classes(shapes: Shapes) -> tuple[tuple[int, int] | None, int]:
    """Return the rows and width of the table of class features, or None, and the number of classes.

    A table may have more rows than there are classes, of which each has its own mean w.

    Raises:
        CheckpointError: the table has fewer rows than there are classes.
    """
    if "mapping.embed.weight" not in shapes:
        return None, 0
    if "mapping.embed.proj.weight" not in shapes:
        return None, shapes["mapping.embed.weight"][1]
    rows, features = shapes["mapping.embed.weight"]
    classes, _ = shapes["mapping.w_avg"]
    if min(rows, features, classes) < 1 or rows < classes:
        raise CheckpointError(
            f"this StyleGAN-XL has mean w of {classes} classes, but a table of {rows} classes with "
            f"{features} features each (mapping.w_avg, mapping.embed.weight)"
        )
    return (rows, features), classes


def _sampling(
    names: list[str], tensors: MappingType[str, Tensor], settings: MappingType[str, Any]
) -> Sampling:
    """Compute the sampling from stored constructor arguments, or infer it from names and filters."""
    sizes = tuple(int(name.split("_")[-2]) for name in names)
    if "img_resolution" in settings and not is_stage(settings):
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
        # Complex values are a fault of the file, which is listed with the others.
        None if first is None or first.ndim != 1 or first.is_complex() else first.double().numpy(),
    )
