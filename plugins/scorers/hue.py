"""Score colour by a histogram of hue in HSV, with mean saturation and mean value (paper, appendix A.2)."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from ...core.plugins.base import PluginConfig
from ...core.plugins.records import Concept, Rendering
from ...core.plugins.scorer import Scorer

BINS = 12
NAMES = (
    "red",
    "orange",
    "yellow",
    "chartreuse",
    "green",
    "spring_green",
    "cyan",
    "azure",
    "blue",
    "violet",
    "magenta",
    "rose",
)
LEAST_COLOUR = 0.02  # mean chroma below which an image counts as grey


def hue_saturation_value(images: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Convert images (N, 3, H, W) from RGB to HSV.

    With v = max(r, g, b) and chroma c = v - min(r, g, b), the saturation is s = c / v. The hue is 60 degrees
    times (g - b) / c if v = r, times 2 + (b - r) / c if v = g, and times 4 + (r - g) / c if v = b. Hue and
    saturation are 0 where c is 0.

    Returns:
        Hue in [0, 360), chroma s v, saturation and value in [0, 1], (N, H, W) each.

    Source: Smith, "Color gamut transform pairs", 1978.
    """
    red, green, blue = images.clamp(0.0, 1.0).unbind(dim=1)
    value = torch.maximum(torch.maximum(red, green), blue)
    chroma = value - torch.minimum(torch.minimum(red, green), blue)
    divisor = torch.where(chroma > 0.0, chroma, 1.0)
    sector = torch.where(
        value == red,
        (green - blue) / divisor,
        torch.where(value == green, (blue - red) / divisor + 2.0, (red - green) / divisor + 4.0),
    )
    saturation = chroma / torch.where(value > 0.0, value, 1.0)
    return torch.remainder(sector * 60.0, 360.0), chroma, saturation, value


def hue_shares(hue: Tensor, weight: Tensor, *, soft: bool = False) -> Tensor:
    """Return the share of each of twelve hues in the weight of all pixels, (N, 12); NaN for grey images.

    share_b = sum over pixels of weight * k(hue - 30 b) / sum of weight. Bin b is centred on 30 b degrees.
    Hard bins are boxes k of half-width 15 degrees. Soft bins are triangles of half-width 30 degrees, which
    keep the gradient. Both sum to 1.

    Args:
        hue: in degrees, (N, H, W).
        weight: weight of each pixel, its chroma, (N, H, W).
        soft: whether bins are triangles.
    """
    position = hue / 30.0  # in bins
    if soft:
        centres = torch.arange(BINS, device=hue.device, dtype=hue.dtype).view(1, BINS, 1, 1)
        distance = (position[:, None] - centres).abs()  # (N, 12, H, W)
        distance = torch.minimum(distance, BINS - distance)
        mass = (weight[:, None] * (1.0 - distance).clamp(min=0.0)).sum(dim=(2, 3))
    else:
        bins = torch.remainder(torch.floor(position + 0.5), BINS).long().flatten(1)  # (N, H W)
        mass = torch.zeros(hue.shape[0], BINS, device=hue.device).scatter_add_(1, bins, weight.flatten(1))
    mean = weight.mean(dim=(1, 2))[:, None]
    total = weight.sum(dim=(1, 2))[:, None]
    return torch.where(mean >= LEAST_COLOUR, mass / total.clamp(min=1e-12), torch.nan)


class Hue(Scorer):
    """Score the shares of twelve hues, weighted by saturation times value, mean saturation and mean value."""

    class Config(PluginConfig):
        """Set the form of the bins."""

        soft: bool = Field(
            default=False, description="triangular bins in place of boxes, which makes scores differentiable"
        )

    config: Config

    def __init__(self, config: Config, device: torch.device) -> None:
        super().__init__(config, device)
        hues = tuple(Concept(name, "colour", threshold=0.5, may_be_undefined=True) for name in NAMES)
        self.concepts = (*hues, Concept("saturation", "colour"), Concept("value", "colour"))

    def score(self, rendering: Rendering) -> Tensor:
        """Return scores (N, 14) in [0, 1]; hue shares are NaN for images without colour."""
        hue, chroma, saturation, value = hue_saturation_value(rendering.images)
        shares = hue_shares(hue, chroma, soft=self.config.soft)
        means = torch.stack([saturation.mean(dim=(1, 2)), value.mean(dim=(1, 2))], dim=1)
        return torch.cat([shares, means], dim=1)
