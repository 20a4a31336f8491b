"""Measure how near the generator's pictures came to the given ones."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..plugins.records import Rendering
from .distance import DistanceRule
from .similarity import composited, ms_ssim, psnr
from .target import Target

Measures = dict[str, float]
HIGHEST = 120.0  # dB: about as near as single precision gets; equal pictures would be infinitely near


def measured(rule: DistanceRule, rendering: Rendering, targets: Sequence[Target]) -> list[Measures]:
    """Return the measures of each picture.

    `psnr`, `ms_ssim` and, with a network, `perceptual` compare what the degradation makes of the generator's
    picture with what was given, on known pixels: unknown ones count as equal, and the difference is divided
    by the known share, as in `Distance`. `psnr_to_truth` compares whole pictures with the truth.

    Args:
        rule: what was compared in the search.
        rendering: pictures (N, 3, H, W).
        targets: the N given pictures, all of one size.
    """
    images = rendering.images.clamp(0.0, 1.0)
    seen = images if rule.degradation is None else rule.degradation(images)
    wanted = torch.stack([one.observed for one in targets]).to(images)
    masks = [one.known for one in targets]
    known = None
    if any(mask is not None for mask in masks):
        ones = torch.ones(1, *wanted.shape[-2:])
        known = torch.stack([ones if mask is None else mask for mask in masks]).to(images)
    share = 1.0 if known is None else known.flatten(1).mean(dim=1)  # (N,)
    whole = composited(seen, wanted, known)
    structure = 1.0 - (1.0 - ms_ssim(whole, wanted)) / share
    columns = {"psnr": psnr(seen, wanted, known).clamp(max=HIGHEST), "ms_ssim": structure.clamp(min=0.0)}
    if rule.network is not None:
        features = [rule.network.features(Rendering(x, composed=True)) for x in (whole, wanted)]
        columns["perceptual"] = rule.network.compare(features[0], features[1]) / share
    rows: list[Measures] = [
        {name: float(values[i]) for name, values in columns.items()} for i in range(len(targets))
    ]
    for row, image, one in zip(rows, images, targets, strict=True):
        if one.truth is not None:
            row["psnr_to_truth"] = float(_psnr_of(image, one.truth))
    return rows


def _psnr_of(image: Tensor, truth: Tensor) -> Tensor:
    return psnr(image[None], truth[None].to(image))[0].clamp(max=HIGHEST)
