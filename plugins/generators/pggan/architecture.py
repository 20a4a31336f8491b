"""Infer the architecture of a ProgressiveGAN from the shapes of its tensors and its stored settings."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from torch import Tensor

from ....core.checkpoints import Part
from ....core.checkpoints.detect import Examined
from ....core.errors import CheckpointError
from ....core.messages import listed, quantity
from ..shared.layouts import Layout, find
from ..shared.sizes import lacking, numbers
from ..shared.spelling import as_stored
from ..shared.state_dicts import check_channels, describe_checkpoint
from ..shared.unstored import NOTHING, Unstored, depth_assumption, last_trained, level_of
from .layouts import GROWN, LAYOUTS, MATRICES
from .network import Network
from .settings import read_settings
from .translation import by_level, levels, rescale, translate

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Architecture:
    """Hold the sizes and options of a network.

    Attributes:
        widths: channels of each level, from that of the first layer up.
        inputs: inputs of the first layer: Z, plus Y for conditional networks.
        colours: channels of the image: 3, 4 with alpha, or 1 for grey.
        classes: number of classes Y; a one-hot vector of them is appended to z.
        lod: level of detail of the image. A whole number k skips the last k levels, a fraction blends the
            outputs of two levels.
        z_first: whether z is also normalised before the class is appended, as GenForce does.
        normalise_inputs, normalise: whether pixel norm is applied to the inputs, and after every layer.
        normalise_first: whether it is applied after the first layer too; pro_gan_pytorch leaves it out.
        equalised: whether weights are multiplied by gain / sqrt(fan-in).
        leak: slope of the leaky ReLU; 0 gives a plain ReLU.
        epsilon: of pixel norm.
        epsilon_outside: whether epsilon is added after the square root, as MMGeneration does.
        start: height and width of the first layer's output; each level doubles both.
        per_pixel: whether the first layer has another bias at each pixel, as in PyTorch GAN Zoo.
        tanh: whether tanh is applied to the image.
    """

    widths: tuple[int, ...]
    inputs: int
    colours: int = 3
    classes: int = 0
    lod: float = 0.0
    z_first: bool = False
    normalise_inputs: bool = True
    normalise: bool = True
    normalise_first: bool = True
    equalised: bool = True
    leak: float = 0.2
    epsilon: float = 1e-8
    epsilon_outside: bool = False
    start: tuple[int, int] = (4, 4)
    per_pixel: bool = False
    tanh: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.classes < self.inputs:
            raise CheckpointError(
                f"the first layer of this ProgressiveGAN has {self.inputs} inputs, of which "
                f"{self.classes} are classes; none remain for z"
            )
        if not (math.isfinite(self.lod) and 0.0 <= self.lod <= len(self.widths) - 1):
            raise CheckpointError(
                f"a ProgressiveGAN of {quantity(len(self.widths), 'level')} has levels of detail 0 to "
                f"{len(self.widths) - 1}, not {self.lod:g}"
            )
        check_channels("ProgressiveGAN", self.colours)

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> Self:
        """Build an architecture from the values of asdict(), which may have passed through JSON."""
        height, width = values.get("start", (4, 4))
        return cls(**{**values, "widths": tuple(values["widths"]), "start": (height, width)})

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the images in pixels."""
        return self.start[0] << (len(self.widths) - 1), self.start[1] << (len(self.widths) - 1)

    @property
    def resolution(self) -> int:
        """Longer side of the images in pixels."""
        return max(self.size)

    @property
    def top(self) -> int:
        """Index of the last level that is computed."""
        return len(self.widths) - 1 - math.floor(self.lod)

    @property
    def outputs(self) -> tuple[int, ...]:
        """Levels whose outputs form the image: one, or two that are blended."""
        return (self.top,) if self.lod == math.floor(self.lod) else (self.top - 1, self.top)

    @property
    def z_dim(self) -> int:
        """Width Z of z, which is also the code size D."""
        return self.inputs - self.classes

    def build(self) -> Network:
        """Build the network, with new weights."""
        return Network(
            self.inputs, self.widths, self.colours, self.outputs, self.start, per_pixel=self.per_pixel
        )


def recognised(shapes: Shapes) -> Layout | None:
    """Return the layout of tensors of these shapes.

    None if no layout fits, or if the first layer does not map a vector to 4x4 pixels, or to others that are
    not square: its kernel has the size of its output.
    """
    layout = find(LAYOUTS, shapes)
    if layout is None:
        return None
    first = next(
        (shape for name, shape in shapes.items() if _translated_name(layout, name) == "layers.0.weight"), ()
    )
    kernel = first[2:]
    maps_to_pixels = kernel == (4, 4) or (len(kernel) == 2 and kernel[0] != kernel[1] and min(kernel) > 1)
    return layout if maps_to_pixels or (len(first) == 2 and layout in MATRICES) else None


def _translated_name(layout: Layout, stored: str) -> str | None:
    """Return the name used here for a stored name."""
    return next((name for known, name in (rule.apply(stored) for rule in layout.rules) if known), None)


def infer(shapes: Shapes, options: Mapping[str, Any]) -> Architecture:
    """Infer the architecture from the shapes of translated tensors.

    Args:
        shapes: by the names used here.
        options: fields of Architecture that shapes do not show.

    Raises:
        CheckpointError: tensors that determine the architecture are missing, or options are invalid.
    """
    layers = numbers(shapes, r"layers\.(\d{1,9})\..*")
    count = len(layers)
    if count < 2 or count % 2 or layers != list(range(count)):
        raise CheckpointError(
            "a ProgressiveGAN has two layers for each of 4, 8, 16 ... pixels, numbered 0, 1, 2 ...; "
            f"this file has {count}: {listed(layers, 20)}"
        )
    expected = [f"layers.{i}.bias" for i in range(count)]
    for name in expected:
        if name not in shapes:
            raise lacking("ProgressiveGAN", KeyError(name))
    per_pixel = len(shapes["layers.0.bias"]) == 3
    if (
        any(len(shapes[name]) != 1 for name in expected[1 if per_pixel else 0 :])
        or len(shapes.get("layers.0.weight", ())) != 4
    ):
        raise CheckpointError(
            "this ProgressiveGAN has biases that are not vectors, or a first layer that is neither a 4x4 "
            "convolution nor a matrix"
        )
    last = f"outputs.{count // 2 - 1}.bias"
    colours = shapes.get(last, shapes.get("outputs.0.bias", (3,)))
    _, inputs, height, width = shapes["layers.0.weight"]
    return Architecture(
        widths=tuple(shapes[f"layers.{i}.bias"][0] for i in range(1, count, 2)),
        inputs=inputs,
        colours=colours[0] if len(colours) == 1 else 3,
        start=(height, width),
        per_pixel=per_pixel,
        **options,
    )


def examine(part: Part, unstored: Unstored = NOTHING) -> Examined | None:
    """Return the sizes, classes and weights of a ProgressiveGAN in any layout; None if no layout fits.

    Args:
        part: of a checkpoint.
        unstored: what the config says of the network.

    Raises:
        CheckpointError: tensors or settings that determine the architecture are missing or invalid, or
            contradict the config.
    """
    layout = recognised(part.shapes)
    if layout is None:
        return None
    translated, lod, assumed_form = translate(layout, dict(part.tensors), unstored.fused_scale)
    options, assumptions, assumed = read_settings(layout, part.settings, unstored.beside(part.settings))
    if options.get("equalised", True):
        rescale(layout, translated.tensors)
    grown, assumed_depth = _grown_to(layout, translated.tensors, unstored.depth)
    if unstored.depth is not None:
        options["lod"] = 0.0
    shapes = {name: tuple(tensor.shape) for name, tensor in grown.items()}
    count = levels(grown)
    layout = replace(layout, either=lambda name: (by_level(name, count),))
    with as_stored(layout, translated):
        architecture = infer(shapes, {"lod": lod, **options})
    unused = {f"outputs.{level}.{what}" for level in range(levels(grown)) for what in ("weight", "bias")}
    unused -= {f"outputs.{level}.{what}" for level in architecture.outputs for what in ("weight", "bias")}
    tensors = {name: tensor for name, tensor in grown.items() if name not in unused}
    return describe_checkpoint(
        "ProgressiveGAN",
        layout,
        architecture,
        translated,
        tensors,
        layers=1,
        code_size=architecture.z_dim,
        size=architecture.size,
        channels=architecture.colours,
        assumptions=(*assumptions, *assumed_form, *assumed_depth),
        assumed=assumed,
    )


def _grown_to(
    layout: Layout, tensors: dict[str, Tensor], depth: int | None
) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Return the tensors of the levels that are used, and what is assumed about their number.

    Raises:
        CheckpointError: there is no output at `depth`.
    """
    top = levels(tensors) - 1
    assumptions: tuple[str, ...] = ()
    biases = {
        int(match[1]): tensor
        for name, tensor in tensors.items()
        if (match := re.fullmatch(r"outputs\.(\d{1,2})\.bias", name)) and int(match[1]) <= top
    }
    if depth is not None:
        level = level_of(depth, biases, "ProgressiveGAN")
    elif layout in GROWN:
        level = last_trained(biases, top)
        assumptions = (depth_assumption("ProgressiveGAN", level, top),)
    else:
        return tensors, ()
    return {name: tensor for name, tensor in tensors.items() if _level_of(name) <= level}, assumptions


def _level_of(name: str) -> int:
    """Return the level of a tensor; 0 for one that has none."""
    match = re.match(r"(layers|outputs)\.(\d{1,4})\.", name)
    if match is None:
        return 0
    return int(match[2]) // 2 if match[1] == "layers" else int(match[2])
