"""Load the planar network of LSUN-room, which labels the surface of a room that each pixel shows.

Source: Lin et al. 2018, "Indoor Scene Layout Estimation from a Single Image". Files are in the layout of
github.com/leVirve/lsun-room (MIT): a Lightning checkpoint of `LayoutSeg` with the tensors `model.resnet.*`, a
residual network of torchvision, and `model.planar_seg.*`, the head.

The input is 320 pixels wide, normalised with mean and standard deviation 0.5. The five planes of the output
are the labels of the training data minus 1. The authors resize with torchvision's bilinear filter, which was
not antialiased for tensors at that time; here it is antialiased, which differs where images shrink.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ....core.checkpoints import Checkpoint
from ....core.device import for_inference
from ....core.errors import CheckpointError
from ....core.messages import quantity
from ..bundles import load_network, to_size
from .resnet import ResNet, ResNetShape, infer
from .square import SquareSegmenter, size_of

SIZE = 320
TABLE = Path(__file__).resolve().parents[1] / "labels" / "lsun_room.json"
MARK = "planar_seg.fc_stage2.weight"
LabelOrder = Literal["network", "toolkit"]


@dataclass(frozen=True)
class HeadShape:
    """Hold the channels of the head.

    Attributes:
        deep, middle: of the last and the last but one stage of the trunk.
        inner: of the maps that are summed.
        classes: of the output.
    """

    deep: int
    middle: int
    inner: int
    classes: int


class PlanarHead(nn.Module):
    """Sum maps of strides 64, 32 and 16 from coarse to fine, and upsample the sum to full resolution."""

    def __init__(self, shape: HeadShape) -> None:
        super().__init__()
        self.fc_conv = nn.Conv2d(shape.deep, shape.deep, 1, bias=False)
        self.bn = nn.BatchNorm2d(shape.deep)
        for i, channels in enumerate((shape.deep, shape.deep, shape.middle), start=1):
            self.add_module(f"clf{i}", nn.Conv2d(channels, shape.inner, 1, bias=False))
        for i, stride in enumerate((2, 2, 16), start=1):
            self.add_module(
                f"dec{i}",
                nn.ConvTranspose2d(shape.inner, shape.inner, 2 * stride, stride, stride // 2, bias=False),
            )
        self.fc_stage2 = nn.Conv2d(shape.inner, shape.classes, 1, bias=False)

    def forward(self, x16: Tensor, x32: Tensor) -> Tensor:
        """Map features (N, C, H/16, W/16) and (N, D, H/32, W/32) to logits (N, M, H, W)."""
        x64 = F.max_pool2d(x32, 3, 2, 1)  # (N, D, H/64, W/64)
        features = F.relu(self.bn(self.fc_conv(x64))), x32, x16  # coarsest first
        y = torch.zeros((), device=x32.device, dtype=x32.dtype)
        for i, x in enumerate(features, start=1):
            y = self.get_submodule(f"dec{i}")(self.get_submodule(f"clf{i}")(x) + y)  # H/32, H/16, then H
        logits: Tensor = self.fc_stage2(y)
        return logits


class PlanarNetwork(nn.Module):
    """Segment images by a residual network without its classifier, and a planar head."""

    def __init__(self, trunk: ResNetShape, head: HeadShape) -> None:
        super().__init__()
        self.resnet = ResNet(trunk, max_pool=True)
        self.resnet.fc = nn.Identity()  # type: ignore[assignment]
        self.planar_seg = PlanarHead(head)

    def forward(self, images: Tensor) -> Tensor:
        """Map normalised images (N, 3, 320, 320) to logits (N, 5, 320, 320)."""
        trunk = self.resnet
        x = F.max_pool2d(F.relu(trunk.bn1(trunk.conv1(images))), 3, 2, 1)  # (N, 64, 80, 80)
        for stage in ("layer1", "layer2", "layer3"):
            x = trunk.get_submodule(stage)(x)  # (N, C, 20, 20) at the end
        logits: Tensor = self.planar_seg(x, trunk.get_submodule("layer4")(x))
        return logits


def surfaces(order: LabelOrder) -> tuple[str, ...]:
    """Return the names of the surfaces in the order of the network's labels, or of the challenge's toolkit.

    >>> surfaces("network"), surfaces("toolkit")[1]
    (('frontal_wall', 'left_wall', 'right_wall', 'floor', 'ceiling'), 'frontal_wall')
    """
    return tuple(json.loads(TABLE.read_text(encoding="utf-8"))[order])


def is_planar(tensors: Mapping[str, Tensor]) -> bool:
    """Return whether these are the tensors of a planar network, with or without the Lightning prefix."""
    return any(name in (MARK, f"model.{MARK}") for name in tensors)


def load_planar(
    checkpoint: Checkpoint, device: torch.device, order: LabelOrder = "network"
) -> SquareSegmenter:
    """Load a network of any depth and width (ResNet-18 to 152; no ResNeXt, no wide bottlenecks).

    Args:
        checkpoint: for which is_planar() is true.
        device: on which it runs.
        order: of its planes, that of the published network or of the challenge's toolkit.

    Raises:
        CheckpointError: tensors are missing or do not fit together, or there are not five surfaces.
    """
    path = checkpoint.path
    prefix = "" if MARK in checkpoint.tensors else "model."
    # Other tensors of the training module, and the classifier of the residual network, are not needed.
    prefixes = tuple(f"{prefix}{part}." for part in ("resnet", "planar_seg"))
    tensors = {
        name.removeprefix(prefix): tensor
        for name, tensor in checkpoint.tensors.items()
        if name.startswith(prefixes)
    }
    tensors = {name: tensor for name, tensor in tensors.items() if not name.startswith("resnet.fc.")}
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    head = HeadShape(
        deep=size_of(shapes, "planar_seg.clf2.weight", 1, path),
        middle=size_of(shapes, "planar_seg.clf3.weight", 1, path),
        inner=size_of(shapes, "planar_seg.clf1.weight", 0, path),
        classes=size_of(shapes, MARK, 0, path),
    )
    names = surfaces(order)
    if head.classes != len(names):
        raise CheckpointError(
            f"{path} has {quantity(head.classes, 'plane')}, not the {len(names)} surfaces of LSUN: "
            f"{', '.join(names)}"
        )
    bare = {
        name.removeprefix("resnet."): shape for name, shape in shapes.items() if name.startswith("resnet.")
    }
    try:
        trunk = infer({**bare, "fc.weight": (1, head.deep)})
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from None
    network = load_network(lambda: PlanarNetwork(trunk, head), tensors, path)
    network.resnet.eval().fuse()
    return SquareSegmenter(for_inference(network, device), names, checkpoint.sha256, SIZE, _prepare)


def _prepare(images: Tensor) -> Tensor:
    """Map images (N, 3, H, W) in [0, 1] to (N, 3, 320, 320) in [-1, 1]."""
    return to_size(images, SIZE) * 2.0 - 1.0
