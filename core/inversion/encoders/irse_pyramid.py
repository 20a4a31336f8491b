"""Define the pyramid encoder of pSp and e4e, with the names of its tensors as their checkpoints have them.

A residual network with squeeze and excitation (IR-SE50) gives feature maps at a fourth, an eighth and a
sixteenth of the input. Coarse codes are read from the last, middle and fine ones from sums of the finer maps
with the enlarged coarser ones. All sizes are read off the shapes in the file, so that small networks fit too.

    pSp:  code_l = style_l            e4e:  code_0 = style_0,  code_l = style_0 + style_l

Names: input_layer.{0,1,2}, body.{i}.{res_layer.{0..5},shortcut_layer.{0,1}}, latlayer{1,2},
styles.{l}.{convs.{0,2,..},linear}.

Shapes: N pictures of S x S pixels, L layers, D code size.

Sources: Richardson et al., "Encoding in Style", CVPR 2021, section 3; Tov et al., "Designing an Encoder for
StyleGAN Image Manipulation", SIGGRAPH 2021, section 5; Deng et al., "ArcFace", CVPR 2019 (the IR-SE50).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Shapes = Mapping[str, tuple[int, ...]]
MOST_STEPS = 9  # convolutions of a style, at most: pictures of 2048 pixels
STAGES = 4  # of the residual network, each of which halves the picture


@dataclass(frozen=True)
class Unit:
    """Describe a residual unit.

    Attributes:
        inputs: channels before.
        outputs: channels after.
        squeezed: channels between squeeze and excitation.
        stride: 2 in the first unit of a stage.
    """

    inputs: int
    outputs: int
    squeezed: int
    stride: int


@dataclass(frozen=True)
class PyramidShape:
    """Describe a pyramid encoder.

    Attributes:
        channels: channels before the first unit.
        units: residual units, first to last.
        steps: convolutions of each layer's style (L,), each of which halves the map: more for finer maps.
        code_size: length D of a code.
        deltas: whether later codes are changes of the first, as in e4e.
    """

    channels: int
    units: tuple[Unit, ...]
    steps: tuple[int, ...]
    code_size: int
    deltas: bool

    @property
    def size(self) -> int:
        """Side S of the pictures that it takes, in pixels."""
        return int(2 ** (STAGES + self.steps[0]))

    @property
    def ends(self) -> tuple[int, ...]:
        """Number of the last unit of each stage."""
        firsts = [i for i, unit in enumerate(self.units) if unit.stride == 2]
        return (*(i - 1 for i in firsts[1:]), len(self.units) - 1)


def is_pyramid(shapes: Shapes) -> bool:
    """Return whether tensors of these names are a pyramid encoder."""
    names = ("input_layer.0.weight", "body.0.res_layer.1.weight", "latlayer1.weight")
    return all(len(shapes.get(name, ())) == 4 for name in names)


def shape_of(shapes: Shapes, *, deltas: bool) -> PyramidShape:
    """Read the sizes off the names and shapes of a file.

    Args:
        shapes: shape of each tensor, by its name without the prefix `encoder.`.
        deltas: whether it is of e4e.

    Raises:
        ValueError: they are not those of a pyramid encoder; the message says what is amiss.
    """
    units: list[Unit] = []
    while (name := f"body.{len(units)}.res_layer.1.weight") in shapes:
        outputs, inputs = shapes[name][:2]
        squeezed = shapes.get(f"body.{len(units)}.res_layer.5.fc1.weight", (0,))[0]
        if not squeezed:
            raise ValueError(f"body.{len(units)} has no squeeze and excitation (res_layer.5.fc1.weight)")
        first = not units or units[-1].outputs != outputs
        units.append(Unit(inputs, outputs, squeezed, 2 if first else 1))
    stages = sum(unit.stride == 2 for unit in units)
    if stages != STAGES:
        raise ValueError(f"its body has {stages} widths of channels; {STAGES} were expected")
    steps: list[int] = []
    while f"styles.{len(steps)}.convs.0.weight" in shapes:
        pattern = re.compile(rf"styles\.{len(steps)}\.convs\.\d+\.weight")
        steps.append(sum(pattern.fullmatch(name) is not None for name in shapes))
    allowed = range(steps[0], min(steps[0] + 3, MOST_STEPS)) if steps else range(0)
    if not steps or any(b < a for a, b in pairwise(steps)) or any(step not in allowed for step in steps):
        raise ValueError(f"the convolutions of its styles number {steps}; e.g. 4, 5 and 6 were expected")
    code_size = shapes.get("styles.0.linear.weight", (0,))[0]
    return PyramidShape(shapes["input_layer.0.weight"][0], tuple(units), tuple(steps), code_size, deltas)


class _Excitation(nn.Module):
    """Scale channels by what their means say."""

    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, squeezed, 1, bias=False)
        self.fc2 = nn.Conv2d(squeezed, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, h, w) to the same shape."""
        return x * torch.sigmoid(self.fc2(F.relu(self.fc1(x.mean((2, 3), keepdim=True)))))


class _Residual(nn.Module):
    """Add a residual branch to a map, which the first unit of a stage halves."""

    def __init__(self, unit: Unit) -> None:
        super().__init__()
        self.stride = unit.stride
        self.res_layer = nn.Sequential(
            nn.BatchNorm2d(unit.inputs),
            nn.Conv2d(unit.inputs, unit.outputs, 3, padding=1, bias=False),
            nn.PReLU(unit.outputs),
            nn.Conv2d(unit.outputs, unit.outputs, 3, unit.stride, 1, bias=False),
            nn.BatchNorm2d(unit.outputs),
            _Excitation(unit.outputs, unit.squeezed),
        )
        self.shortcut_layer = (
            nn.Identity()
            if unit.inputs == unit.outputs
            else nn.Sequential(
                nn.Conv2d(unit.inputs, unit.outputs, 1, unit.stride, bias=False),
                nn.BatchNorm2d(unit.outputs),
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, h, w) to (N, C', h / stride, w / stride)."""
        # Without a convolution the shortcut takes every second pixel.
        short = (
            x[:, :, :: self.stride, :: self.stride]
            if isinstance(self.shortcut_layer, nn.Identity)
            else self.shortcut_layer(x)
        )
        total: Tensor = self.res_layer(x) + short
        return total


class _Linear(nn.Module):
    """Apply a linear layer whose weights are stored times sqrt(fan-in)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, I) to (N, O)."""
        return F.linear(x, self.weight / math.sqrt(self.weight.shape[1]), self.bias)


class _Style(nn.Module):
    """Read a code from a feature map by halving it until one pixel is left."""

    def __init__(self, inputs: int, outputs: int, steps: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for i in range(steps):
            layers += [nn.Conv2d(outputs if i else inputs, outputs, 3, 2, 1), nn.LeakyReLU(0.01)]
        self.convs = nn.Sequential(*layers)
        self.linear = _Linear(outputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, 2^steps, 2^steps) to (N, D)."""
        code: Tensor = self.linear(self.convs(x).flatten(1))
        return code


class Pyramid(nn.Module):
    """Map pictures to codes as pSp and e4e do, without the mean code that these add."""

    def __init__(self, shape: PyramidShape) -> None:
        super().__init__()
        self.shape = shape
        self.input_layer = nn.Sequential(
            nn.Conv2d(3, shape.channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(shape.channels),
            nn.PReLU(shape.channels),
        )
        self.body = nn.Sequential(*(_Residual(unit) for unit in shape.units))
        fine, middle, coarse = (shape.units[i].outputs for i in shape.ends[1:])
        self.latlayer1 = nn.Conv2d(middle, coarse, 1)
        self.latlayer2 = nn.Conv2d(fine, coarse, 1)
        self.styles = nn.ModuleList(_Style(coarse, shape.code_size, steps) for steps in shape.steps)

    def forward(self, pictures: Tensor) -> Tensor:
        """Map pictures (N, 3, S, S) in [-1, 1] to codes (N, L, D)."""
        shape = self.shape
        x = self.input_layer(pictures)
        maps = []
        for i, unit in enumerate(self.body):
            x = unit(x)
            if i in shape.ends[1:]:
                maps.append(x)
        fine, middle, coarse = maps
        middle = _enlarged(coarse, middle.shape[2:]) + self.latlayer1(middle)
        levels = (coarse, middle, _enlarged(middle, fine.shape[2:]) + self.latlayer2(fine))
        codes = [
            style(levels[steps - shape.steps[0]])
            for style, steps in zip(self.styles, shape.steps, strict=True)
        ]
        if shape.deltas:
            codes = [codes[0], *(codes[0] + code for code in codes[1:])]
        return torch.stack(codes, dim=1)


def _enlarged(x: Tensor, size: torch.Size) -> Tensor:
    """Enlarge a map so that its corner pixels stay in the corners."""
    return F.interpolate(x, size=tuple(size), mode="bilinear", align_corners=True)
