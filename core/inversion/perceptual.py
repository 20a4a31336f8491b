"""Compare pictures by the feature maps of a network.

    f^k  = x^k / |x^k|, the feature map x^k (C_k, H_k, W_k) of stage k, a unit vector at every pixel
    d    = mean over stages k of the mean over pixels of sum_c (f^k_c - g^k_c)^2

d is 0 for equal pictures and at most 4, or 2 where feature maps are nowhere negative. This is the form of
LPIPS without learnt weights of channels.

Distances of different networks do not compare, so that each carries the name of its network.

Source: Zhang, Isola, Efros, Shechtman and Wang 2018, "The Unreasonable Effectiveness of Deep Features as a
Perceptual Metric", eq. 1.

Shapes: N pictures, C_k channels of stage k, H_k x W_k its size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from ..errors import PluginBroken, UserError
from ..messages import quantity, shown
from ..plugins.base import owner_of
from ..plugins.records import Rendering
from ..plugins.scorer import Scorer

EPSILON = 1e-10  # added to lengths; that of LPIPS


class Perceptual(Protocol):
    """Describe a perceptual distance: features of pictures, and how they are compared."""

    @property
    def name(self) -> str:
        """Name for tables: the network, its hash, the stages."""
        ...

    def features(self, rendering: Rendering) -> Sequence[Tensor]:
        """Return the feature maps (N, C_k, H_k, W_k) of pictures, shallow to deep, with gradients."""
        ...

    def compare(self, first: Sequence[Tensor], second: Sequence[Tensor]) -> Tensor:
        """Return the distances (N,) of pictures with these features."""
        ...


def unit(x: Tensor) -> Tensor:
    """Divide feature maps (N, C, H, W) by their length over channels, at every pixel.

    Where all channels are 0 the result is 0, with a finite gradient: the length counts as 1 there.
    """
    squares = x.square().sum(dim=1, keepdim=True)  # (N, 1, H, W)
    length = squares.where(squares > 0.0, 1.0).sqrt()  # the gradient of sqrt(0) would be infinite
    return x / (length + EPSILON)


def unit_distances(first: Sequence[Tensor], second: Sequence[Tensor]) -> Tensor:
    """Return the distances d (N,) of feature maps, one tensor (N, C_k, H_k, W_k) per stage."""
    stages = [
        (unit(x.float()) - unit(y.float())).square().sum(dim=1).flatten(1).mean(dim=1)
        for x, y in zip(first, second, strict=True)
    ]
    return torch.stack(stages).mean(dim=0)


@dataclass(frozen=True)
class ScorerDistance:
    """Compare pictures in the feature maps of a scorer's network.

    Attributes:
        scorer: scorer with `feature_stages`.
        words: what it is called in tables.
        stages: number of its feature maps.
    """

    scorer: Scorer
    words: str
    stages: int

    @property
    def name(self) -> str:
        """Return the scorer, the beginning of the hash of its network, and the number of stages."""
        digest = f" {self.scorer.checkpoint[:8]}" if self.scorer.checkpoint else ""
        return f"{self.words}{digest}, {quantity(self.stages, 'stage')}"

    def features(self, rendering: Rendering) -> Sequence[Tensor]:
        """Return the feature maps (N, C_k, H_k, W_k) of the scorer's network.

        Raises:
            UserError: the scorer gives none, or none with gradients though the pictures have them.
        """
        maps = feature_maps(self.scorer, rendering)
        if rendering.images.requires_grad and torch.is_grad_enabled():
            cut = next((k for k, x in enumerate(maps, start=1) if not x.requires_grad), None)
            if cut is not None:
                raise UserError(
                    f"{owner_of(self.scorer)} gives feature maps without gradients (number {cut} of "
                    f"{len(maps)}), which no search can follow: its feature_stages() must not detach them "
                    "or leave torch; use another scorer, or `none` for no perceptual distance"
                )
        return maps

    def compare(self, first: Sequence[Tensor], second: Sequence[Tensor]) -> Tensor:
        """Return the distances d (N,) of pictures with these feature maps."""
        return unit_distances(first, second)


def scorer_distance(scorer: Scorer, words: str, height: int, width: int) -> ScorerDistance:
    """Return the distance in the feature maps of a scorer, which is tried on one grey picture of this size.

    Raises:
        UserError: the scorer has no feature maps, or none of pictures alone.
        PluginBroken: its feature maps are not tensors (1, C, H, W).
    """
    if scorer.features:
        raise UserError(
            f"{owner_of(scorer)} reads feature maps of the generator, so it cannot compare photographs; "
            "choose a scorer that reads pictures"
        )
    grey = torch.full((1, 3, height, width), 0.5, device=scorer.device)
    with torch.no_grad():
        return ScorerDistance(scorer, words, len(feature_maps(scorer, Rendering(grey, composed=True))))


def has_feature_stages(scorer: Scorer, height: int, width: int) -> bool:
    """Return whether a scorer has feature maps of pictures of this size."""
    if type(scorer).feature_stages is Scorer.feature_stages:
        return False
    grey = torch.full((1, 3, height, width), 0.5, device=scorer.device)
    with torch.no_grad():
        return scorer.feature_stages(Rendering(grey, composed=True)) is not None


def feature_maps(scorer: Scorer, rendering: Rendering) -> Sequence[Tensor]:
    """Return the feature maps of a scorer, one tensor (N, C_k, H_k, W_k) per stage.

    Raises:
        UserError: it has none.
        PluginBroken: what it returns is something else.
    """
    maps: object = scorer.feature_stages(rendering)
    if maps is None:
        raise UserError(
            f"{owner_of(scorer)} has no feature maps to compare pictures by. Those of attribute, category "
            "and image_classifier can be used, and of any scorer with `feature_stages`; "
            "or `none` for no perceptual distance"
        )
    n = len(rendering.images)
    if not isinstance(maps, Sequence) or not maps:
        raise PluginBroken(f"{owner_of(scorer)}: feature_stages returned {shown(maps)}; {_WANTED}")
    for x in maps:
        if (
            not isinstance(x, Tensor)
            or not x.is_floating_point()
            or x.ndim != 4
            or len(x) != n
            or not x.numel()
        ):
            raise PluginBroken(f"{owner_of(scorer)}: feature_stages returned {shown(x)}; {_WANTED}")
    return maps


_WANTED = "a sequence of tensors (N, C, H, W) of floats was expected, shallow to deep"
