"""Fill unknown pixels smoothly from the known ones around them.

A search never looks at these pixels; an encoder that starts from the picture does.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def filled(pictures: Tensor, known: Tensor) -> Tensor:
    """Return pictures whose unknown pixels are averages of known ones, from ever larger blocks.

    The picture is averaged over known pixels in blocks of 2 x 2, again and again, until every block has one;
    from there back, each unknown pixel takes the enlarged average.

    Source: Burt 1988, "Moment images, polynomial fit filters, and the problem of surface interpolation".

    Args:
        pictures: (N, 3, H, W).
        known: weights (N, 1, H, W) in [0, 1]; 1 keeps a pixel, 0 replaces it.

    Returns:
        (N, 3, H, W); grey (0.5) where nothing at all is known.

    >>> filled(torch.tensor([0.2, 9.0]).expand(1, 3, 1, 2), torch.tensor([[[[1.0, 0.0]]]]))[0, 0, 0].tolist()
    [0.20000000298023224, 0.20000000298023224]
    """
    height, width = pictures.shape[-2:]
    if height == 1 and width == 1:
        return torch.where(known > 0.0, pictures, 0.5)
    sums = _halved(pictures * known)
    weights = _halved(known)
    coarse = torch.where(weights > 0.0, sums / weights.clamp(min=1e-12), 0.5)
    coarse = filled(coarse, (weights > 0.0).to(known))
    enlarged = F.interpolate(coarse, size=(height, width), mode="bilinear", align_corners=False)
    return known * pictures + (1.0 - known) * enlarged


def _halved(x: Tensor) -> Tensor:
    """Return the means of blocks of 2 x 2 pixels (N, C, ceil(H / 2), ceil(W / 2)), with zeros beyond."""
    return F.avg_pool2d(F.pad(x, (0, x.shape[-1] % 2, 0, x.shape[-2] % 2)), 2)
