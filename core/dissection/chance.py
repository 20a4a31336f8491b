"""Find the chance level of an IoU by permuting the masks of a class among pictures.

A unit that is on in the lower half of every picture overlaps with every floor, though it detects none. Its
overlap with the floors of other pictures is as large. So each unit is compared with itself: its masks stay,
and the masks of its class go to other pictures. If a unit and its class are independent of each other, all
permutations of the pictures are equally likely, and

    p = (1 + number of permutations with an intersection as large or larger) / (1 + R)

is exact, whatever the distribution. Pictures are permuted within blocks, which is exact as well and needs no
more memory than a block of masks. The class of a unit was chosen on other pictures, so that there is one test
for each unit and no maximum over classes to correct for.

Shapes: N pictures, U units, R permutations, B pictures of a block, P pixels of the grid.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ..device import sent
from ..plugins.pending import OneBehind
from ..randomness import Stream
from ..semantics.samples import LabelledSamples
from .counting import batch_at, enlarged, masks_above, split

BLOCK = 256  # pictures among which masks are permuted, at most, unless one batch is larger


def blocks(count: int, batch: int, block: int = BLOCK) -> list[range]:
    """Divide pictures 0 .. count - 1 into blocks of nearly the same number of batches.

    >>> blocks(40, 8, 16)
    [range(0, 16), range(16, 32), range(32, 40)]
    """
    starts = list(range(0, count, batch))
    parts = np.array_split(np.array(starts), -(-len(starts) // max(block // batch, 1)))
    return [range(int(part[0]), min(int(part[-1]) + batch, count)) for part in parts]


def permutations(block: range, count: int, seed: int) -> NDArray[np.int64]:
    """Return R permutations of the pictures of a block, (R, B): places within the block."""
    rng = np.random.default_rng([seed, block.start, len(block), count])
    return np.argsort(rng.random((count, len(block))), axis=1)


def permuted_sums(overlap: Tensor, orders: Tensor) -> Tensor:
    """Return the sum over pictures of their intersections with permuted masks, (R, c).

    Args:
        overlap: intersections of n pictures' unit masks with the masks of the block, (n, c, B).
        orders: which mask of the block each of the n pictures gets, (R, n).

    >>> overlap = torch.tensor([[[5.0, 1.0]], [[2.0, 7.0]]])
    >>> permuted_sums(overlap, torch.tensor([[0, 1], [1, 0]])).tolist()
    [[12.0], [3.0]]
    """
    n, c, size = overlap.shape
    rows = overlap.transpose(1, 2).reshape(n * size, c)
    # It adds up chosen rows, in far less time and memory than indexing and a sum.
    return F.embedding_bag(orders + size * torch.arange(n, device=orders.device), rows, mode="sum")


@torch.no_grad()
def permuted_intersections(
    samples: LabelledSamples,
    stream: Stream,
    labels: Sequence[Tensor],
    levels: Tensor,
    classes: NDArray[np.int64],
    count: int,
    progress: Callable[[int], object],
) -> NDArray[np.int32]:
    """Return the intersection of each unit with permuted masks of its class, over all pictures, (U, R).

    Args:
        samples: samples with their maps.
        stream: stream of the samples.
        labels: labels (H, W) of each picture on the grid.
        levels: level of each unit, (U,).
        classes: class of each unit, (U,); below 0 for none, whose intersections are 0.
        count: number R of permutations.
        progress: told after each batch how many pictures were read.
    """
    widths = [described.channels for described in samples.maps]
    sums = torch.zeros(count, sum(widths), dtype=torch.int32, device=levels.device)
    members = [  # of each map, the units of each class that has any
        {m: sent(np.flatnonzero(part == m), levels.device) for m in sorted(set(part.tolist()) - {-1})}
        for part in np.split(classes, np.cumsum(widths)[:-1])
    ]
    pictures, checks = len(labels), OneBehind()
    for block in blocks(pictures, samples.batch):
        masks = sent(torch.stack([labels[i] for i in block]).flatten(1), levels.device)  # (B, P)
        orders = sent(permutations(block, count, samples.seed), levels.device)
        for start in range(block.start, block.stop, samples.batch):
            drawn = batch_at(samples, start, pictures, stream)
            checks.add(drawn.check)
            first = start - block.start
            own = orders[:, first : first + len(drawn.images)]
            parts = zip(
                drawn.maps,
                split(levels, widths),
                members,
                torch.split(sums, widths, dim=1),
                strict=True,
            )
            for x, level, of_class, into in parts:
                above = masks_above(enlarged(x, drawn.size), level)
                overlap = above.new_zeros(*above.shape[:2], len(block))  # (n, c, B)
                for m, units in of_class.items():
                    overlap[:, units] = above[:, units] @ (masks == m).float().T
                into += permuted_sums(overlap, own).int()
            progress(len(drawn.images))
    checks.end()
    return np.ascontiguousarray(sums.cpu().numpy().T)


def rank_p_values(observed: NDArray[np.int64], permuted: NDArray[np.int32]) -> NDArray[np.float64]:
    """Return the exact p value of each intersection (U,) among those of R permutations (U, R).

    >>> rank_p_values(np.array([3, 0]), np.array([[1, 2, 3], [0, 0, 0]])).tolist()
    [0.5, 1.0]
    """
    return np.asarray((1.0 + (permuted >= observed[:, None]).sum(axis=1)) / (1.0 + permuted.shape[1]))


def chance_level(permuted: NDArray[np.int32], areas: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the mean IoU of each unit with permuted masks of its class, (U,).

    Args:
        permuted: intersections, (U, R).
        areas: pixels of the unit and of its class together, each with its own, (U,).

    >>> chance_level(np.array([[1, 2]]), np.array([4])).round(3).tolist()
    [0.667]
    """
    return np.array(
        [(both / np.maximum(area - both, 1)).mean() for both, area in zip(permuted, areas, strict=True)]
    )
