"""Build residual networks of any depth and width, with or without pooling after the first convolution.

Source: He et al. 2016, "Deep Residual Learning for Image Recognition", section 4.1. Tensors have the names
of torchvision.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from ....core.errors import CheckpointError

Shapes = Mapping[str, tuple[int, ...]]
MAX_BLOCKS = 400  # of all stages; a network of 152 layers has 50


@dataclass(frozen=True)
class ResNetShape:
    """Hold the sizes of a network.

    Attributes:
        stem: output channels of the first convolution.
        widths: of the four stages; bottleneck blocks have four times as many output channels.
        blocks: number of blocks in each stage.
        bottleneck: whether blocks have three convolutions instead of two.
        classes: outputs of the last layer.
    """

    stem: int
    widths: tuple[int, ...]
    blocks: tuple[int, ...]
    bottleneck: bool
    classes: int


def infer(shapes: Shapes) -> ResNetShape:
    """Infer the sizes of a network from the shapes of its state dict.

    Raises:
        CheckpointError: the tensors are not those of a residual network.
    """
    counts = [
        len({m[1] for name in shapes if (m := re.fullmatch(rf"layer{stage}\.(\d+)\.conv1\.weight", name))})
        for stage in (1, 2, 3, 4)
    ]
    try:
        if 0 in counts:
            raise KeyError(f"layer{counts.index(0) + 1}.0.conv1.weight")
        if sum(counts) > MAX_BLOCKS:
            raise CheckpointError(f"it has {sum(counts)} blocks; at most {MAX_BLOCKS} are supported")
        return ResNetShape(
            stem=shapes["conv1.weight"][0],
            widths=tuple(shapes[f"layer{stage}.0.conv1.weight"][0] for stage in (1, 2, 3, 4)),
            blocks=tuple(counts),
            bottleneck="layer1.0.conv3.weight" in shapes,
            classes=shapes["fc.weight"][0],
        )
    except (KeyError, IndexError) as error:
        raise CheckpointError(f"it is not a residual network with a classifier: it lacks {error}") from None


class Block(nn.Module):
    """Apply a residual block, y = relu(f(x) + shortcut(x)).

    f is two 3x3 convolutions, or with a bottleneck a 1x1, a 3x3 and a 1x1 convolution.
    """

    def __init__(self, inputs: int, width: int, stride: int, *, bottleneck: bool) -> None:
        super().__init__()
        outputs = 4 * width if bottleneck else width
        sizes = (
            [(inputs, width, 1, 1), (width, width, 3, stride), (width, outputs, 1, 1)]
            if bottleneck
            else [(inputs, width, 3, stride), (width, width, 3, 1)]
        )
        self.count = len(sizes)
        for i, (before, after, kernel, step) in enumerate(sizes, start=1):
            self.add_module(f"conv{i}", nn.Conv2d(before, after, kernel, step, kernel // 2, bias=False))
            self.add_module(f"bn{i}", nn.BatchNorm2d(after))
        if stride != 1 or inputs != outputs:
            self.downsample: nn.Module = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )
        else:
            self.downsample = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, I, H, W) to (N, O, H / stride, W / stride)."""
        y = x
        for i in range(1, self.count + 1):
            y = self.get_submodule(f"bn{i}")(self.get_submodule(f"conv{i}")(y))
            if i < self.count:
                y = F.relu(y, inplace=True)
        return F.relu(y + self.downsample(x), inplace=True)


class ResNet(nn.Module):
    """Classify images by a residual network.

    `max_pool` adds max pooling of stride 2 after the first convolution.
    """

    def __init__(self, shape: ResNetShape, *, max_pool: bool) -> None:
        super().__init__()
        self.max_pool = max_pool
        self.conv1 = nn.Conv2d(3, shape.stem, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(shape.stem)
        inputs = shape.stem
        for stage, (width, count) in enumerate(zip(shape.widths, shape.blocks, strict=True), start=1):
            blocks = []
            for i in range(count):
                blocks.append(
                    Block(inputs, width, 2 if stage > 1 and i == 0 else 1, bottleneck=shape.bottleneck)
                )
                inputs = 4 * width if shape.bottleneck else width
            self.add_module(f"layer{stage}", nn.Sequential(*blocks))
        self.fc = nn.Linear(inputs, shape.classes)

    def stages(self, images: Tensor) -> Iterator[Tensor]:
        """Yield the feature maps of normalised images (N, 3, H, W): of the stem and of each stage."""
        x = F.relu(self.bn1(self.conv1(images)), inplace=True)
        yield x  # (N, stem, H/2, W/2)
        if self.max_pool:
            x = F.max_pool2d(x, 3, 2, 1)  # (N, stem, H/4, W/4)
        for stage in range(1, 5):
            x = self.get_submodule(f"layer{stage}")(x)
            yield x  # (N, widths[i], ...), half the size from stage 2 on

    def features(self, images: Tensor) -> Tensor:
        """Map normalised images (N, 3, H, W) to the spatial mean of the last feature map, (N, F)."""
        for x in self.stages(images):  # only the newest is kept in memory
            last = x
        return last.mean(dim=(2, 3))

    def forward(self, images: Tensor) -> Tensor:
        """Map normalised images (N, 3, H, W) to logits (N, Y)."""
        logits: Tensor = self.fc(self.features(images))
        return logits

    @torch.no_grad()
    def fuse(self) -> None:
        """Fold every batch normalisation into the convolution before it, for inference."""
        for module in self.modules():
            children = dict(module.named_children())
            for name, child in children.items():
                norm = (
                    name.replace("conv", "bn")
                    if name.startswith("conv")
                    else str(int(name) + 1)
                    if name.isdigit()
                    else ""
                )
                if isinstance(child, nn.Conv2d) and isinstance(children.get(norm), nn.BatchNorm2d):
                    fused = fuse_conv_bn_eval(child.eval(), children[norm].eval())  # type: ignore[arg-type]
                    setattr(module, name, fused)
                    setattr(module, norm, nn.Identity())
