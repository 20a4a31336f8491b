"""Recognise from two pictures along which direction a code was moved between them, and how far."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WIDTHS = (32, 64, 128)  # channels after each convolution of stride 2
GROUPS = 8  # of channels that are normalised together
GRID = 4  # pixels per side of the last feature map
HIDDEN = 256


class Reconstructor(nn.Module):
    """Take pairs of pictures and return logits of K directions and the length of the step.

    Three convolutions of stride 2 with group normalisation, and two fully connected layers. A pair enters as
    six channels: the first picture, and the difference divided by its usual size. That holds the same as
    both pictures.

    Args:
        directions: K.
        size: pictures are reduced to so many pixels, if they are larger.
        contrast: usual size of a difference, its root mean square.
    """

    def __init__(self, directions: int, size: int, contrast: float) -> None:
        super().__init__()
        self.size, self.contrast = size, contrast
        layers: list[nn.Module] = []
        before = 6
        for width in WIDTHS:
            layers += [nn.Conv2d(before, width, 3, stride=2, padding=1), nn.GroupNorm(GROUPS, width)]
            layers += [nn.LeakyReLU(0.2)]
            before = width
        self.body = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(GRID), nn.Flatten())
        self.hidden = nn.Sequential(nn.Linear(before * GRID * GRID, HIDDEN), nn.LeakyReLU(0.2))
        self.which, self.how_far = nn.Linear(HIDDEN, directions), nn.Linear(HIDDEN, 1)

    def forward(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits (n, K) and lengths (n,) of pairs of pictures (n, 3, H, W) in [0, 1]."""
        first, second = reduced(first, self.size), reduced(second, self.size)
        pair = torch.cat([2.0 * first - 1.0, (second - first) / self.contrast], dim=1)
        features = self.hidden(self.body(pair))
        return self.which(features), self.how_far(features)[:, 0]


def reduced(images: Tensor, size: int) -> Tensor:
    """Return pictures (n, 3, H, W) whose longer side has at most `size` pixels, by averaging over areas."""
    height, width = images.shape[2:]
    longest = max(height, width)
    if longest <= size:
        return images
    shape = [max(1, round(side * size / longest)) for side in (height, width)]
    return F.interpolate(images, size=shape, mode="area")
