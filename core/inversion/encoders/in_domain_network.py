"""Define the encoder of in-domain inversion, with the names of its tensors as its state dicts have them.

Residual blocks between which the picture is halved, and a dense layer that gives the codes of all layers at
once. All sizes are read off the shapes in the file.

Names: block0.conv (and bn.bn), block{i}.{conv,conv1,conv2} with {wscale1,wscale2}.bias and {bn,bn1,bn2}.bn,
and fc (and bn.bn) in the last block. The factor of equalised learning rates is in no name; the published
encoders have none but in the dense layer, and that is what is assumed.

Shapes: N pictures of S x S pixels, L layers, D code size.

Source: Zhu, Shen, Zhao and Zhou, "In-Domain GAN Inversion for Real Image Editing", ECCV 2020, section 3.1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

SLOPE = 0.2
GRID = 4  # pixels of the last feature map, on a side
Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class InDomainShape:
    """Describe an encoder of in-domain inversion.

    Attributes:
        widths: channels after the first block and after each residual one.
        outputs: length L D of all codes together.
        normalised: whether convolutions are followed by batch normalisation.
        last_normalised: whether the dense layer is.
    """

    widths: tuple[int, ...]
    outputs: int
    normalised: bool
    last_normalised: bool

    @property
    def size(self) -> int:
        """Side S of the pictures that it takes, in pixels."""
        return int(GRID * 2 ** (len(self.widths) - 1))


def is_in_domain(shapes: Shapes) -> bool:
    """Return whether tensors of these names are an encoder of in-domain inversion."""
    names = ("block0.conv.weight", "block1.conv1.weight")
    return "block1.wscale1.bias" in shapes and all(len(shapes.get(name, ())) == 4 for name in names)


def in_domain_shape(shapes: Shapes) -> InDomainShape:
    """Read the sizes off the names and shapes of a file.

    Raises:
        ValueError: they are not those of such an encoder; the message says what is amiss.
    """
    widths = [shapes["block0.conv.weight"][0]]
    while (name := f"block{len(widths)}.conv2.weight") in shapes:
        widths.append(shapes[name][0])
    last = f"block{len(widths)}"
    if f"{last}.fc.weight" not in shapes:
        raise ValueError(f"it has neither {last}.conv2.weight nor {last}.fc.weight")
    return InDomainShape(
        tuple(widths),
        shapes[f"{last}.fc.weight"][0],
        "block0.bn.bn.weight" in shapes,
        f"{last}.bn.bn.weight" in shapes,
    )


class _Normalisation(nn.Module):
    """Hold a batch normalisation under the name that the files give it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bn = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (N, C, h, w)."""
        normalised: Tensor = self.bn(x)
        return normalised


class _Bias(nn.Module):
    """Hold a bias under the name that the files give it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(Tensor(channels).zero_())


def _bn(channels: int, *, normalised: bool) -> nn.Module:
    return _Normalisation(channels) if normalised else nn.Identity()


class _First(nn.Module):
    """Turn colours into channels."""

    def __init__(self, outputs: int, *, normalised: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, outputs, 3, padding=1, bias=False)
        self.bn = _bn(outputs, normalised=normalised)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, 3, S, S) to (N, C, S, S)."""
        return F.leaky_relu(self.bn(self.conv(x)), SLOPE)


class _Residual(nn.Module):
    """Add two convolutions to a map; a shortcut changes the number of channels."""

    def __init__(self, inputs: int, outputs: int, *, normalised: bool) -> None:
        super().__init__()
        hidden = min(inputs, outputs)
        self.changes = inputs != outputs
        if self.changes:
            self.conv = nn.Conv2d(inputs, outputs, 1, bias=False)
            self.bn = _bn(outputs, normalised=normalised)
        self.conv1 = nn.Conv2d(inputs, hidden, 3, padding=1, bias=False)
        self.wscale1, self.bn1 = _Bias(hidden), _bn(hidden, normalised=normalised)
        self.conv2 = nn.Conv2d(hidden, outputs, 3, padding=1, bias=False)
        self.wscale2, self.bn2 = _Bias(outputs), _bn(outputs, normalised=normalised)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, I, h, w) to (N, O, h, w)."""
        short = F.leaky_relu(self.bn(self.conv(x)), SLOPE) if self.changes else x
        for conv, shift, bn in ((self.conv1, self.wscale1, self.bn1), (self.conv2, self.wscale2, self.bn2)):
            x = F.leaky_relu(bn(conv(x) + shift.bias[:, None, None]), SLOPE)
        return x + short


class _Last(nn.Module):
    """Turn the last map into the codes of all layers; the weights are stored times sqrt(fan-in)."""

    def __init__(self, inputs: int, outputs: int, *, normalised: bool) -> None:
        super().__init__()
        self.fc = nn.Linear(inputs, outputs, bias=False)
        self.bn = _bn(outputs, normalised=normalised)
        self.scale = 1.0 / math.sqrt(inputs)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, GRID, GRID) to (N, L D)."""
        codes: Tensor = self.bn((self.fc(x.flatten(1)) * self.scale)[:, :, None, None])
        return codes.flatten(1)


class InDomainNetwork(nn.Module):
    """Map pictures to the codes of all layers."""

    def __init__(self, shape: InDomainShape) -> None:
        super().__init__()
        self.shape, widths = shape, shape.widths
        self.add_module("block0", _First(widths[0], normalised=shape.normalised))
        for i, (inputs, outputs) in enumerate(pairwise(widths), start=1):
            self.add_module(f"block{i}", _Residual(inputs, outputs, normalised=shape.normalised))
        last = _Last(widths[-1] * GRID**2, shape.outputs, normalised=shape.last_normalised)
        self.add_module(f"block{len(widths)}", last)

    def forward(self, pictures: Tensor) -> Tensor:
        """Map pictures (N, 3, S, S) in [-1, 1] to codes (N, L D)."""
        x = pictures
        for i, block in enumerate(self.children()):
            x = block(F.avg_pool2d(x, 2) if 0 < i < len(self.shape.widths) else x)
        return x
