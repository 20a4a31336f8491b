"""The network that labels surfaces and objects, shared by segmentation and layout."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...core.checkpoints import locate, read_checkpoint
from ...core.errors import CheckpointError
from ...core.records import Rendering
from .bundles import convolution, fit, names, require, to_size

ARCHITECTURE = "rooms-surfaces-1"
SIZE = 64


class SurfaceNetwork(nn.Module):
    """A feature pyramid: four resolutions down, the context of the whole picture, and up again."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.stem = convolution(3, 16)
        self.down32 = nn.Sequential(convolution(16, 48, 2), convolution(48, 48))
        self.down16 = nn.Sequential(convolution(48, 96, 2), convolution(96, 96))
        self.down8 = nn.Sequential(convolution(96, 128, 2), convolution(128, 128))
        self.context = nn.Linear(128, 64)
        self.side8, self.side16, self.side32 = nn.Conv2d(128, 64, 1), nn.Conv2d(96, 64, 1), nn.Conv2d(48, 64, 1)
        self.up16 = convolution(64, 64)
        self.up32 = convolution(64, 32)
        self.thin = nn.Conv2d(32, 16, 1)
        self.up64 = convolution(32, 24)
        self.label = nn.Conv2d(24, classes, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Images (N, 3, 64, 64) in [0, 1] to logits (N, M, 64, 64)."""
        x64 = self.stem((images - 0.5) * 4.0)
        x32 = self.down32(x64)
        x16 = self.down16(x32)
        x8 = self.down8(x16)
        y8 = self.side8(x8) + self.context(x8.mean(dim=(2, 3)))[:, :, None, None]
        y16 = self.up16(self.side16(x16) + F.interpolate(y8, scale_factor=2.0))
        y32 = self.up32(self.side32(x32) + F.interpolate(y16, scale_factor=2.0))
        y64 = F.interpolate(self.thin(y32), scale_factor=2.0, mode="bilinear", align_corners=False)
        logits: Tensor = self.label(self.up64(torch.cat([y64, x64], dim=1)))
        return logits


@dataclass(frozen=True)
class SurfaceModel:
    """A loaded network with its classes; `walls` are those whose meeting lines are the layout."""

    network: SurfaceNetwork
    classes: tuple[str, ...]
    walls: tuple[int, ...]
    sha256: str

    def logits(self, rendering: Rendering) -> Tensor:
        """(N, M, 64, 64), computed once per rendering."""
        return rendering.once(("surfaces", self.sha256, SIZE), lambda: self.network(to_size(rendering.images, SIZE)).float())


def load_surfaces(name: str, device: torch.device) -> SurfaceModel:
    """The network of a checkpoint.

    Raises:
        CheckpointError: missing, damaged, or no surface network.
    """
    checkpoint = read_checkpoint(locate(name, "surfaces"))
    require(checkpoint, ARCHITECTURE, "surface network")
    classes, walls = names(checkpoint, "classes"), names(checkpoint, "walls")
    if not set(walls) <= set(classes) or len(walls) < 2:
        raise CheckpointError(f"{checkpoint.path}: its header names the walls {list(walls)}, which are not two or more of its classes")
    network = SurfaceNetwork(len(classes))
    fit(network, checkpoint)
    indices = tuple(classes.index(wall) for wall in walls)
    return SurfaceModel(network.to(device).eval().requires_grad_(False), classes, indices, checkpoint.sha256)
