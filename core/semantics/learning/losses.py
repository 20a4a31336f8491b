"""Compare logits with labels: the losses that extractors are trained with.

Shapes: N samples, M classes, H x W pixels of labels.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor

from ..heads import Additive, Head, Size, enlarge
from ..teacher import UNKNOWN


def pixel_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the mean cross-entropy of the pixels with a known label; 0 if there are none.

    Args:
        logits: (N, M, H, W).
        labels: (N, H, W), int64, UNKNOWN where the label is not known.

    >>> import torch
    >>> logits = torch.zeros(1, 4, 1, 2)
    >>> round(float(pixel_cross_entropy(logits, torch.tensor([[[3, UNKNOWN]]]))), 4)
    1.3863
    """
    planes = logits.transpose(0, 1)  # (M, N, H, W): an LSE's logits lie so in memory
    if planes.is_contiguous():
        logits, labels = planes.flatten(1)[None], labels.reshape(1, -1)
    total = F.cross_entropy(logits, labels, ignore_index=UNKNOWN, reduction="sum")
    return total / (labels != UNKNOWN).sum().clamp(min=1)


def extractor_loss(
    head: Head, maps: Sequence[Tensor], labels: Tensor, layerwise: float = 0.0
) -> tuple[Tensor, Tensor]:
    """Return CE(S) + layerwise * sum over strata of CE(up(S_s)), and the logits S (N, M, H, W).

    S_s is what stratum s says by itself.

    Source: Xu & Zheng 2021, equation 8, where layerwise is 0.1.

    Args:
        head: the network; only LSE and NSE-1 have readings of strata.
        maps: feature maps (N, c_s, h_s, w_s).
        labels: (N, H, W), int64, UNKNOWN where the label is not known.
        layerwise: weight of the strata's own losses.
    """
    size: Size = (int(labels.shape[-2]), int(labels.shape[-1]))
    if layerwise == 0.0:
        logits: Tensor = head(maps, size)
        return pixel_cross_entropy(logits, labels), logits
    assert isinstance(head, Additive)
    readings = head.readings(maps)
    logits = head.combined(readings, size)
    loss = pixel_cross_entropy(logits, labels)
    for reading in readings:
        loss = loss + layerwise * pixel_cross_entropy(enlarge(reading, size), labels)
    return loss, logits
