"""Run published segmentation networks that take square images of one size."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ....core.errors import CheckpointError
from ....core.plugins.records import Rendering

PIXELS = 2**20  # in one pass; at 512 pixels the first maps of one image take 100 MB


@dataclass(frozen=True)
class SquareSegmenter:
    """Hold a loaded network and its classes.

    Attributes:
        network: from prepared images (N, 3, size, size) to logits (N, M, size, size).
        classes: one per plane.
        sha256: of its file.
        size: of its input, in pixels.
        prepare: from images (N, 3, H, W), nominally in [0, 1], to the input of the network.
    """

    network: nn.Module
    classes: tuple[str, ...]
    sha256: str
    size: int
    prepare: Callable[[Tensor], Tensor]

    def logits(self, rendering: Rendering) -> Tensor:
        """Return logits (N, M, size, size), computed once per rendering, a few images at a time."""

        def compute() -> Tensor:
            images_at_once = max(1, PIXELS // self.size**2)
            return torch.cat(
                [
                    self.network(self.prepare(images)).float()
                    for images in torch.split(rendering.images, images_at_once)
                ]
            )

        return rendering.once(("segmentation", self.sha256, self.size), compute)

    def labels(self, rendering: Rendering) -> Tensor:
        """Return the most probable class of each pixel, (N, size, size), computed once per rendering."""

        # max() is several times faster than argmax() on a CPU.
        def label() -> Tensor:
            return torch.cat([logits.max(dim=0).indices[None] for logits in self.logits(rendering)])

        return rendering.once(("segmentation labels", self.sha256, self.size), label)


def size_of(shapes: Mapping[str, tuple[int, ...]], name: str, axis: int, path: object) -> int:
    """Return the size of one axis of a tensor.

    Raises:
        CheckpointError: there is no such tensor or axis, or the axis is empty.
    """
    shape = shapes.get(name, ())
    if len(shape) <= axis or shape[axis] < 1:
        raise CheckpointError(
            f"{path}: {name} is {shape or 'missing'}; "
            f"it should have {axis + 1} axes or more, none of them empty"
        )
    return shape[axis]
