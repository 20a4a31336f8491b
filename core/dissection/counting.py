"""Count pixels of units and classes over a stream of samples, in memory that does not grow with it.

Shapes: N pictures, c units of one stratum, h x w pixels of its map, H x W pixels of the grid on which maps
and labels are compared, P = H W, M classes, Q levels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ..plugins.pending import Pending, all_of
from ..plugins.records import Latents
from ..randomness import Stream
from ..semantics.feature_maps import begin_require_finite
from ..semantics.heads import Size, enlarge
from ..semantics.nearest import nearest_planes
from ..semantics.samples import LabelledSamples

GRID = 64  # longest side of the grid, as in Bau et al. 2020


def grid_of(size: Size, longest: int = GRID) -> Size:
    """Return the size of the grid for labels of a size: the same, or smaller with the same proportions.

    >>> grid_of((32, 48)), grid_of((1024, 512))
    ((32, 48), (64, 32))
    """
    if max(size) <= longest:
        return size
    height, width = (max(round(side * longest / max(size)), 1) for side in size)
    return height, width


@dataclass(frozen=True)
class Batch:
    """Hold samples with their maps and labels.

    Attributes:
        start: number of the first sample.
        latents: z, condition and indices.
        images: pictures (N, 3, H', W').
        maps: feature maps (N, c, h, w), one per stratum.
        labels: class of each pixel of the grid, (N, H, W), int64; below 0 where unknown.
        check: refuses feature maps and pictures that are not finite. On the CPU it is made already.
    """

    start: int
    latents: Latents
    images: Tensor
    maps: list[Tensor]
    labels: Tensor
    check: Pending[None]

    @property
    def size(self) -> Size:
        """Size of the grid."""
        return self.labels.shape[1], self.labels.shape[2]


def batches(samples: LabelledSamples, count: int, stream: Stream) -> Iterator[Batch]:
    """Draw `count` samples, batch by batch; the last is cut. Errors are those of `batch_at`."""
    for start in range(0, count, samples.batch):
        yield batch_at(samples, start, count, stream)


def batch_at(samples: LabelledSamples, start: int, count: int, stream: Stream) -> Batch:
    """Draw the batch that begins at a multiple of the batch size, without samples from `count` on.

    Raises:
        DataError: a feature map is not finite. On an accelerator the result of `check` raises both.
        PictureError: a picture is not finite.
    """
    drawn = samples.draw(start, stream, late=True)
    n = min(samples.batch, count - start)
    maps = [x[:n] for x in drawn.maps]
    finite = begin_require_finite(samples.maps, maps, drawn.latents.index[:n].tolist())
    labels = drawn.labels[:n]
    size = grid_of((labels.shape[1], labels.shape[2]))
    labels = labels if tuple(labels.shape[1:]) == size else nearest_planes(labels, size)
    check = all_of([drawn.check, finite])
    return Batch(start, drawn.latents, drawn.rendering.images[:n], maps, labels, check)


def planes_of(labels: Tensor, classes: int) -> Tensor:
    """Return labels (N, H, W) as planes (N, P, M) of zeros and ones; unknown pixels have none."""
    flat = labels.flatten(1)
    return F.one_hot(flat + 1, classes + 1)[..., 1:].float()


def enlarged(x: Tensor, size: Size) -> Tensor:
    """Return a feature map (N, c, h, w) on the grid, (N, c, P): bilinear, corners on corners."""
    return enlarge(x, size).flatten(2)


class Tallies:
    """Add up counts of pixels of units at several levels each, from single pixels of pictures.

    Args:
        levels: levels of each unit, (Q, U).
        classes: number of classes M.

    Attributes:
        both: pixels where a unit is on and that have a class, (Q, U, M), int64.
        on: pixels where a unit is on, (Q, U), int64.
        labelled: pixels that have a class, (M,), int64.
        pixels: number of pixels.
    """

    def __init__(self, levels: Tensor, classes: int) -> None:
        self.levels, self.classes = levels, classes
        counts = torch.zeros(*levels.shape, classes + 1, dtype=torch.int64, device=levels.device)
        self.both, self.on = counts[..., :-1], counts[..., -1]
        self.labelled = torch.zeros(classes, dtype=torch.int64, device=levels.device)
        self.pixels = 0

    def add(self, values: Tensor, labels: Tensor) -> None:
        """Add pixels: values (K, U) of all units, and labels (K,)."""
        planes = planes_of(labels[None], self.classes)[0]  # (K, M)
        self.labelled += planes.sum(dim=0).long()
        self.pixels += len(labels)
        for q, level in enumerate(self.levels):
            counts = ((values > level).float().T @ with_ones(planes)).long()  # (U, M + 1)
            self.both[q] += counts[:, :-1]
            self.on[q] += counts[:, -1]


def with_ones(planes: Tensor) -> Tensor:
    """Return planes (..., M) with one more that every pixel has, (..., M + 1)."""
    return torch.cat([planes, torch.ones_like(planes[..., :1])], dim=-1)


def masks_above(x: Tensor, levels: Tensor) -> Tensor:
    """Return where each unit is above its level: maps on the grid (N, c, P), levels (c,) -> (N, c, P)."""
    return (x > levels[:, None]).float()


def split(values: Tensor, widths: Sequence[int]) -> list[Tensor]:
    """Cut values (..., U) of all units into those of each stratum."""
    return list(torch.split(values, list(widths), dim=-1))
