"""Published segmentation networks that see square pictures of one size."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ....core.errors import CheckpointError
from ....core.plugins.records import Rendering

PIXELS = 2**20  # in one pass; at 512 pixels the first maps of a picture alone take 100 MB


@dataclass(frozen=True)
class SquareSegmenter:
    """A loaded network with its classes.

    Attributes:
        network: prepared pictures (N, 3, size, size) to logits (N, M, size, size).
        classes: one per plane.
        sha256: of its file.
        size: what it sees, in pixels.
        prepare: pictures (N, 3, H, W), nominally in [0, 1], to what the network takes.
    """

    network: nn.Module
    classes: tuple[str, ...]
    sha256: str
    size: int
    prepare: Callable[[Tensor], Tensor]

    def logits(self, rendering: Rendering) -> Tensor:
        """(N, M, size, size), computed once per rendering, a few pictures at a time."""

        def compute() -> Tensor:
            few = max(1, PIXELS // self.size**2)
            return torch.cat(
                [self.network(self.prepare(images)).float() for images in torch.split(rendering.images, few)]
            )

        return rendering.once(("segmentation", self.sha256, self.size), compute)

    def labels(self, rendering: Rendering) -> Tensor:
        """The likeliest class of each pixel that the network sees (N, size, size), computed once per rendering."""

        # max() is several times faster than argmax() on a CPU.
        def label() -> Tensor:
            return torch.cat([planes.max(dim=0).indices[None] for planes in self.logits(rendering)])

        return rendering.once(("segmentation labels", self.sha256, self.size), label)


def size_of(shapes: Mapping[str, tuple[int, ...]], name: str, axis: int, path: object) -> int:
    """One size of one tensor.

    Raises:
        CheckpointError: there is no such tensor, or it has no such axis.
    """
    shape = shapes.get(name, ())
    if len(shape) <= axis or shape[axis] < 1:
        raise CheckpointError(
            f"{path}: {name} is {shape or 'missing'}; it should have {axis + 1} axes or more, none of them empty"
        )
    return shape[axis]
