"""Load the face parser of CelebAMask-HQ, a U-Net that labels the part of a face that each pixel shows.

Source: Lee et al. 2020, "MaskGAN: Towards Diverse and Interactive Facial Image Manipulation".

Files are in the layout of face_parsing/ in github.com/switchablenorms/CelebAMask-HQ (19 classes) and of
predictors/ in github.com/AtlantixJJ/LinearGAN (15 classes, `faceparse_unet_512.pth`): a state dict with the
tensors `conv1` to `conv4`, `center`, `up_concat4` to `up_concat1` and `final`, and widths of 16 to 256.
Images are prepared as in LinearGAN: resized bilinearly to 512 pixels, with aligned corners and without
antialiasing, then clamped and scaled to [-1, 1].
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ....core.checkpoints import Checkpoint
from ....core.device import for_inference
from ....core.errors import CheckpointError
from ....core.messages import quantity
from ..bundles import load_network
from .square import SquareSegmenter, size_of

SIZE = 512
TABLE = Path(__file__).resolve().parents[1] / "labels" / "celebamask.json"
STAGES = ("conv1", "conv2", "conv3", "conv4", "center")
SIGNATURE = {"conv1.conv1.0.weight", "center.conv2.1.running_var", "up_concat1.up.weight", "final.weight"}


class DoubleConvolution(nn.Module):
    """Apply two 3x3 convolutions, each with batch normalisation and ReLU."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        for i, channels in enumerate((inputs, outputs), start=1):
            self.add_module(
                f"conv{i}",
                nn.Sequential(
                    nn.Conv2d(channels, outputs, 3, 1, 1), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
                ),
            )

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, I, H, W) to (N, O, H, W)."""
        y: Tensor = self.get_submodule("conv2")(self.get_submodule("conv1")(x))
        return y


class Up(nn.Module):
    """Double the size of a map by a transposed convolution and join it to the encoder's map of that size."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = DoubleConvolution(2 * outputs, outputs)
        self.up = nn.ConvTranspose2d(inputs, outputs, 2, 2)

    def forward(self, skip: Tensor, x: Tensor) -> Tensor:
        """Map skip (N, O, 2H, 2W) and x (N, I, H, W) to (N, O, 2H, 2W)."""
        y: Tensor = self.conv(torch.cat([skip, self.up(x)], dim=1))  # of (N, 2O, 2H, 2W)
        return y


class FaceParser(nn.Module):
    """Segment faces by a U-Net of five resolutions, whose channels are `widths`."""

    def __init__(self, widths: tuple[int, ...], classes: int) -> None:
        super().__init__()
        for name, inputs, outputs in zip(STAGES, (3, *widths), widths, strict=False):
            self.add_module(name, DoubleConvolution(inputs, outputs))
        for i in range(4, 0, -1):
            self.add_module(f"up_concat{i}", Up(widths[i], widths[i - 1]))
        self.final = nn.Conv2d(widths[0], classes, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Map images (N, 3, H, W) in [-1, 1] to logits (N, M, H, W); H and W are multiples of 16."""
        x = images
        skips: list[Tensor] = []
        for name in STAGES:
            x = self.get_submodule(name)(F.max_pool2d(x, 2) if skips else x)
            skips.append(x)  # (N, widths[i], H / 2^i, W / 2^i)
        for i in range(4, 0, -1):
            # (N, widths[i-1], H / 2^(i-1), W / 2^(i-1))
            x = self.get_submodule(f"up_concat{i}")(skips[i - 1], x)
        logits: Tensor = self.final(x)
        return logits


def is_face_parser(tensors: Mapping[str, Tensor]) -> bool:
    """Return whether these are the tensors of a face parser."""
    return tensors.keys() >= SIGNATURE


def load_face_parser(checkpoint: Checkpoint, device: torch.device) -> SquareSegmenter:
    """Load a face parser of any width.

    Raises:
        CheckpointError: tensors do not fit together, or the number of classes is unknown.
    """
    shapes = {name: tuple(tensor.shape) for name, tensor in checkpoint.tensors.items()}
    widths = tuple(size_of(shapes, f"{name}.conv1.0.weight", 0, checkpoint.path) for name in STAGES)
    classes = size_of(shapes, "final.weight", 0, checkpoint.path)
    table = json.loads(TABLE.read_text(encoding="utf-8"))
    names = table.get(str(classes))
    if names is None:
        known = "the 19 of CelebAMask-HQ, or 15 that do not distinguish left and right"
        raise CheckpointError(
            f"{checkpoint.path} has {quantity(classes, 'class', 'classes')}; a face parser has {known}"
        )
    network = load_network(lambda: FaceParser(widths, classes), checkpoint.tensors, checkpoint.path)
    return SquareSegmenter(for_inference(network, device), tuple(names), checkpoint.sha256, SIZE, _prepare)


def _prepare(images: Tensor) -> Tensor:
    """Map images (N, 3, H, W) in [0, 1] to (N, 3, 512, 512) in [-1, 1]."""
    if tuple(images.shape[-2:]) != (SIZE, SIZE):
        images = F.interpolate(images, size=(SIZE, SIZE), mode="bilinear", align_corners=True)
    return images.clamp(0.0, 1.0) * 2.0 - 1.0
