"""Load and run the bundled network that labels surfaces and objects, for segmentation and layout."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...core.checkpoints import Checkpoint
from ...core.device import for_inference
from ...core.errors import CheckpointError
from ...core.messages import shown
from ...core.plugins.records import Rendering
from .bundles import convolution, fuse, load_network, names, require, to_size

ARCHITECTURE = "rooms-surfaces-1"
SIZE = 64


class SurfaceNetwork(nn.Module):
    """Segment images by a feature pyramid of three resolutions, with the context of the whole image.

    Blocks of 2x2 pixels become channels at the input, and pixels again at the output. Nothing is computed at
    full resolution, where convolutions of few channels are slow.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.PixelUnshuffle(2), convolution(12, 32), convolution(32, 40))
        self.down16 = nn.Sequential(convolution(40, 80, 2), convolution(80, 80))
        self.down8 = nn.Sequential(convolution(80, 128, 2), convolution(128, 128))
        self.context = nn.Linear(128, 64)
        self.side8, self.side16, self.side32 = (
            nn.Conv2d(128, 64, 1),
            nn.Conv2d(80, 64, 1),
            nn.Conv2d(40, 64, 1),
        )
        self.up16, self.up32 = convolution(64, 64), convolution(64, 48)
        self.label = nn.Sequential(nn.Conv2d(48, 4 * classes, 1), nn.PixelShuffle(2))

    def forward(self, images: Tensor) -> Tensor:
        """Map images (N, 3, 64, 64) in [0, 1] to logits (N, M, 64, 64)."""
        x32 = self.stem((images - 0.5) * 4.0)  # (N, 40, 32, 32)
        x16 = self.down16(x32)  # (N, 80, 16, 16)
        x8 = self.down8(x16)  # (N, 128, 8, 8)
        y8 = self.side8(x8) + self.context(x8.mean(dim=(2, 3)))[:, :, None, None]  # (N, 64, 8, 8)
        y16 = self.up16(self.side16(x16) + F.interpolate(y8, scale_factor=2.0))  # (N, 64, 16, 16)
        y32 = self.up32(self.side32(x32) + F.interpolate(y16, scale_factor=2.0))  # (N, 48, 32, 32)
        logits: Tensor = self.label(y32)
        return logits


@dataclass(frozen=True)
class SurfaceModel:
    """Hold a loaded network, its classes, and the indices of those that are walls."""

    network: SurfaceNetwork
    classes: tuple[str, ...]
    walls: tuple[int, ...]
    sha256: str

    def logits(self, rendering: Rendering) -> Tensor:
        """Return logits (N, M, 64, 64), computed once per rendering."""

        def compute() -> Tensor:
            prepared = to_size(rendering.images, SIZE)
            with rendering.in_precision():
                logits: Tensor = self.network(prepared)
            return logits.float()

        return rendering.once(("surfaces", self.sha256, SIZE), compute)

    def labels(self, rendering: Rendering) -> Tensor:
        """Return the most probable class of each pixel, (N, 64, 64), computed once per rendering."""

        # max() is several times faster than argmax() on a CPU.
        def label() -> Tensor:
            indices: Tensor = self.logits(rendering).max(dim=1).indices
            return indices

        return rendering.once(("surface labels", self.sha256, SIZE), label)


def load_surfaces(checkpoint: Checkpoint, device: torch.device) -> SurfaceModel:
    """Load a surface network of this project from a checkpoint.

    Raises:
        CheckpointError: the checkpoint is not a surface network.
    """
    require(checkpoint, ARCHITECTURE, "surface network")
    classes, walls = names(checkpoint, "classes"), names(checkpoint, "walls")
    if not set(walls) <= set(classes) or len(walls) < 2:
        raise CheckpointError(
            f"{checkpoint.path}: its header names the walls {shown(walls)}, "
            "which are not two or more of its classes"
        )
    network = load_network(lambda: SurfaceNetwork(len(classes)), checkpoint.tensors, checkpoint.path)
    fuse(network)
    indices = tuple(classes.index(wall) for wall in walls)
    return SurfaceModel(for_inference(network, device), classes, indices, checkpoint.sha256)
