"""Define the network of an encoder: a residual pyramid, one code for all layers, and a change per layer.

    c_0 = b,  c_l = b + d_l  for l > 0

The base b and the changes d_l are in standard units of the space (core/strata/code_spaces.py): zero is the
mean of the generator's own codes. Early layers are read from the coarsest feature map, late ones from finer
maps.

No layer mixes pictures of a batch, so a picture's codes depend on it alone.

Shapes: N pictures of H x W pixels, R rows of codes, V numbers in a row, Y classes.

Source: Tov et al., "Designing an Encoder for StyleGAN Image Manipulation", SIGGRAPH 2021, section 5 (base and
changes); Richardson et al., "Encoding in Style", CVPR 2021, section 3.1 (pyramid, its cuts between layers).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...strata.code_spaces import SpaceName
from .request import EncoderSize

LARGEST = 256  # pixels of the longer side that the network looks at; larger pictures are averaged down
GRID = 4  # the coarsest feature map: its shorter side has at most so many pixels
LEVELS = 3  # feature maps that codes are read from
CUTS = (3 / 18, 7 / 18)  # share of the layers that begin at the middle and at the finest of them


@dataclass(frozen=True)
class _Widths:
    """Set the sizes of a network.

    Attributes:
        channels: of the coarsest map, the next finer one, and so on; the last holds for all finer maps.
        blocks: residual blocks per map.
        squeezed: channels that are read from the coarsest map, and from each of the others.
        base: width of the hidden layer before the base.
        hidden: width of the hidden layer before the changes of a map.
    """

    channels: tuple[int, ...]
    blocks: int
    squeezed: tuple[int, int]
    base: int
    hidden: int


_WIDTHS: dict[EncoderSize, _Widths] = {
    "small": _Widths((128, 96, 64, 32, 32, 16), 1, (48, 20), 256, 96),
    "base": _Widths((384, 256, 192, 96, 64, 32), 2, (128, 32), 512, 256),
}


class Encoded(NamedTuple):
    """Hold what the network makes of N pictures, in standard units.

    Attributes:
        base: (N, V).
        deltas: (N, R - 1, V), of the rows after the first.
        classes: logits (N, Y); Y = 0 for a generator without classes.
    """

    base: Tensor
    deltas: Tensor
    classes: Tensor

    def variables(self, rows: int | None = None) -> Tensor:
        """Return variables (N, R, V); only the first `rows` rows have their change, None for all."""
        deltas = self.deltas
        if rows is not None:
            on = torch.arange(1, deltas.shape[1] + 1, device=deltas.device) < rows
            deltas = deltas * on[:, None]
        first = self.base[:, None]
        return torch.cat([first, first + deltas], dim=1)


@dataclass(frozen=True)
class Architecture:
    """Describe the network of an encoder.

    Attributes:
        size: `small` or `base`.
        space: space of the codes, one of core/strata/code_spaces.py's SPACES.
        height: height of the pictures in pixels.
        width: their width.
        rows: number R of codes per picture.
        values: number V of values in a code.
        classes: number Y of classes that it also tells; 0 without.
    """

    size: EncoderSize
    space: SpaceName
    height: int
    width: int
    rows: int
    values: int
    classes: int = 0

    def build(self) -> Network:
        """Build the network with fresh parameters."""
        return Network(self)


def norm(channels: int) -> nn.GroupNorm:
    """Return a normalisation within each picture, over groups of 8 channels or more."""
    return nn.GroupNorm(max(1, channels // 8), channels)


class Residual(nn.Module):
    """Add two convolutions to a feature map; a shortcut changes the number of channels."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.norm1, self.conv1 = norm(inputs), nn.Conv2d(inputs, outputs, 3, padding=1)
        self.norm2, self.conv2 = norm(outputs), nn.Conv2d(outputs, outputs, 3, padding=1)
        self.shortcut = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, I, h, w) to (N, O, h, w)."""
        y = self.conv1(F.silu(self.norm1(x)))
        y = self.conv2(F.silu(self.norm2(y)))
        short: Tensor = self.shortcut(x)
        total: Tensor = short + y
        return total


class Trunk(nn.Module):
    """Turn pictures into feature maps, each half as fine as the one before.

    Attributes:
        channels: of the maps that forward() returns, coarsest first.
    """

    def __init__(self, size: EncoderSize, height: int, width: int) -> None:
        super().__init__()
        widths = _WIDTHS[size]
        grids = _grids(height, width)
        of_grid = [widths.channels[min(i, len(widths.channels) - 1)] for i in range(grids)][::-1]
        self.stem = nn.Conv2d(3, of_grid[0], 5, stride=2, padding=2)
        before = [of_grid[0], *of_grid[:-1]]
        self.maps = nn.ModuleList(
            nn.Sequential(
                Residual(inputs, outputs), *(Residual(outputs, outputs) for _ in range(widths.blocks - 1))
            )
            for inputs, outputs in zip(before, of_grid, strict=True)
        )
        self.channels = of_grid[::-1][:LEVELS]

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """Return the feature maps (N, C, h, w) of pictures (N, 3, H, W) in [0, 1], coarsest first."""
        height, width = pictures.shape[2:]
        if max(height, width) > LARGEST:
            factor = LARGEST / max(height, width)
            size = (max(1, round(height * factor)), max(1, round(width * factor)))
            pictures = F.interpolate(pictures, size=size, mode="area")
        x = self.stem(2.0 * pictures - 1.0)
        found = []
        for i, blocks in enumerate(self.maps):
            x = blocks(F.avg_pool2d(x, 2, ceil_mode=True) if i else x)
            found.append(x)
        return found[::-1][:LEVELS]


def _grids(height: int, width: int) -> int:
    """Return the number of feature maps for pictures of this size: halved until GRID is reached."""
    if max(height, width) > LARGEST:
        factor = LARGEST / max(height, width)
        height, width = max(1, round(height * factor)), max(1, round(width * factor))
    side, count = -(-min(height, width) // 2), 1
    while side > GRID:
        side, count = -(-side // 2), count + 1
    return count


class Reading(nn.Module):
    """Read a vector from a feature map, with what is where in it at a resolution of GRID x GRID."""

    def __init__(self, channels: int, squeezed: int, outputs: int) -> None:
        super().__init__()
        self.norm, self.squeeze = norm(channels), nn.Conv2d(channels, squeezed, 1)
        self.linear = nn.Linear(squeezed * GRID * GRID, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, h, w) to (N, outputs)."""
        x = F.adaptive_avg_pool2d(self.squeeze(F.silu(self.norm(x))), GRID)
        vector: Tensor = self.linear(x.flatten(1))
        return vector


class Changes(nn.Module):
    """Read the changes of some layers from a feature map, given what the coarsest map says."""

    def __init__(self, channels: int, rows: int, values: int, size: EncoderSize) -> None:
        super().__init__()
        widths = _WIDTHS[size]
        self.values = values
        self.reading = Reading(channels, widths.squeezed[1], widths.hidden)
        self.context = nn.Linear(widths.base, widths.hidden, bias=False)
        self.deltas = nn.Linear(widths.hidden, rows * values)
        # At the beginning no layer differs from the base.
        nn.init.zeros_(self.deltas.weight)
        nn.init.zeros_(self.deltas.bias)

    def forward(self, x: Tensor, hidden: Tensor) -> Tensor:
        """Map (N, C, h, w) and the hidden layer before the base (N, B) to changes (N, rows, V)."""
        own = F.silu(self.reading(x) + self.context(hidden))
        deltas: Tensor = self.deltas(own).float().unflatten(1, (-1, self.values))
        return deltas


class Network(nn.Module):
    """Answer pictures with a base, a change per layer, and classes if there are any."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        size, values = architecture.size, architecture.values
        widths = _WIDTHS[size]
        self.trunk = Trunk(size, architecture.height, architecture.width)
        channels = self.trunk.channels
        self.values = values
        self.coarse = Reading(channels[0], widths.squeezed[0], widths.base)
        self.base = nn.Linear(widths.base, values)
        self.classes = nn.Linear(widths.base, architecture.classes) if architecture.classes else None
        counts = rows_of_levels(architecture.rows, len(channels))
        self.levels = nn.ModuleDict(
            {str(i): Changes(channels[i], count, values, size) for i, count in enumerate(counts) if count}
        )

    def forward(self, pictures: Tensor) -> Encoded:
        """Encode pictures (N, 3, H, W) in [0, 1], of the generator's size."""
        maps = self.trunk(pictures)
        hidden = F.silu(self.coarse(maps[0]))  # (N, B)
        base = self.base(hidden).float()
        deltas = [base.new_zeros(len(base), 0, self.values)]
        deltas += [changes(maps[int(i)], hidden) for i, changes in self.levels.items()]
        classes = base.new_zeros(len(base), 0) if self.classes is None else self.classes(hidden).float()
        return Encoded(base, torch.cat(deltas, dim=1), classes)


def rows_of_levels(rows: int, levels: int) -> list[int]:
    """Return how many of the rows 1 .. R - 1 are read from each feature map, coarsest first.

    >>> rows_of_levels(18, 3), rows_of_levels(10, 3), rows_of_levels(8, 1), rows_of_levels(1, 3)
    ([2, 4, 11], [1, 2, 6], [7], [0, 0, 0])
    """
    ends = [max(1, round(cut * rows)) for cut in CUTS[: levels - 1]]
    edges = [1, *ends, rows]
    return [max(0, stop - max(1, start)) for start, stop in pairwise(edges)]
