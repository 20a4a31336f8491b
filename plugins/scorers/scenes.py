"""Load and run the bundled scene network, which gives categories and attributes in one pass."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ...core.checkpoints import Checkpoint
from ...core.device import for_inference
from ...core.plugins.records import Rendering
from .bundles import convolution, fuse, load_network, names, require, to_size

ARCHITECTURE = "rooms-scenes-1"
SIZE = 64


class SceneNetwork(nn.Module):
    """Classify images by a small convolutional network, with linear heads for categories and attributes."""

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

    def stages(self, images: Tensor) -> list[Tensor]:
        """Map images (N, 3, 64, 64) in [0, 1] to the feature maps after each convolution.

        They are (N, 32, 32, 32), (N, 64, 16, 16) twice, and (N, 128, 8, 8) twice.
        """
        maps = [(images - 0.5) * 4.0]
        for layer in self.body:
            maps.append(layer(maps[-1]))
        return maps[1:]

    def features(self, images: Tensor) -> Tensor:
        """Map images (N, 3, 64, 64) in [0, 1] to features (N, 256): mean and maximum over the image."""
        maps = self.stages(images)[-1]  # (N, 128, 8, 8)
        return torch.cat([maps.mean(dim=(2, 3)), maps.amax(dim=(2, 3))], dim=1)

    def read(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Map features (N, 256) to category logits (N, A) and attribute margins (N, B)."""
        return self.category(features), self.attribute(features)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Map images (N, 3, 64, 64) in [0, 1] to category logits (N, A) and attribute margins (N, B)."""
        return self.read(self.features(images))


@dataclass(frozen=True)
class SceneModel:
    """Hold a loaded network and the names of its outputs."""

    network: SceneNetwork
    categories: tuple[str, ...]
    attributes: tuple[str, ...]
    sha256: str
    input_size = (SIZE, SIZE)

    def features(self, rendering: Rendering) -> Tensor:
        """Return features (N, 256), computed once per rendering for all scorers."""

        def compute() -> Tensor:
            prepared = to_size(rendering.images, SIZE)
            with rendering.in_precision():
                return self.network.features(prepared).float()

        return rendering.once(("scenes", self.sha256, SIZE), compute)

    def stages(self, rendering: Rendering) -> list[Tensor]:
        """Return the feature maps after each convolution, shallow to deep, in float32."""
        return self.network.stages(to_size(rendering.images, SIZE))

    def outputs(self, rendering: Rendering) -> tuple[Tensor, Tensor]:
        """Return category logits (N, A) and attribute margins (N, B)."""
        logits, margins = self.network.read(self.features(rendering))
        return logits.float(), margins.float()


def load_scenes(checkpoint: Checkpoint, device: torch.device) -> SceneModel:
    """Load a scene network of this project from a checkpoint.

    Raises:
        CheckpointError: the checkpoint is not a scene network.
    """
    require(checkpoint, ARCHITECTURE, "scene network")
    categories, attributes = names(checkpoint, "categories"), names(checkpoint, "attributes")
    network = load_network(
        lambda: SceneNetwork(len(categories), len(attributes)), checkpoint.tensors, checkpoint.path
    )
    fuse(network)
    return SceneModel(for_inference(network, device), categories, attributes, checkpoint.sha256)
