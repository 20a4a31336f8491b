"""The network that names rooms: categories and attributes from one pass, shared by two plugins."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ...core.checkpoints import Checkpoint
from ...core.device import for_inference
from ...core.plugins.records import Rendering
from .bundles import convolution, fitted, fuse, names, require, to_size

ARCHITECTURE = "rooms-scenes-1"
SIZE = 64


class SceneNetwork(nn.Module):
    """A small convolutional network with two heads on one feature."""

    def __init__(self, categories: int, attributes: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            convolution(3, 32, 2),
            convolution(32, 64, 2),
            convolution(64, 64),
            convolution(64, 128, 2),
            convolution(128, 128),
        )
        self.category = nn.Linear(256, categories)
        self.attribute = nn.Linear(256, attributes)

    def features(self, images: Tensor) -> Tensor:
        """Images (N, 3, 64, 64) in [0, 1] to features (N, 256): mean and maximum over the picture."""
        maps = self.body((images - 0.5) * 4.0)
        return torch.cat([maps.mean(dim=(2, 3)), maps.amax(dim=(2, 3))], dim=1)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Images (N, 3, 64, 64) in [0, 1] to category logits and attribute margins."""
        features = self.features(images)
        return self.category(features), self.attribute(features)


@dataclass(frozen=True)
class SceneModel:
    """A loaded network with the names of its outputs."""

    network: SceneNetwork
    categories: tuple[str, ...]
    attributes: tuple[str, ...]
    sha256: str

    def outputs(self, rendering: Rendering) -> tuple[Tensor, Tensor]:
        """Category logits (N, A) and attribute margins (N, B), computed once per rendering."""

        def compute() -> tuple[Tensor, Tensor]:
            logits, margins = self.network(to_size(rendering.images, SIZE))
            return logits.float(), margins.float()

        return rendering.once(("scenes", self.sha256, SIZE), compute)


def load_scenes(checkpoint: Checkpoint, device: torch.device) -> SceneModel:
    """The network of a checkpoint of this project's own.

    Raises:
        CheckpointError: no scene network.
    """
    require(checkpoint, ARCHITECTURE, "scene network")
    categories, attributes = names(checkpoint, "categories"), names(checkpoint, "attributes")
    network = fitted(
        lambda: SceneNetwork(len(categories), len(attributes)), checkpoint.tensors, checkpoint.path
    )
    fuse(network)
    return SceneModel(for_inference(network, device), categories, attributes, checkpoint.sha256)
