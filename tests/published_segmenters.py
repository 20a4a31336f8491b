"""Published segmentation networks with random weights.

Their tensors by name, and what they compute, tensor by tensor.

Written from what the projects publish, without the package's own modules, so that either checks the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

Tensors = dict[str, Tensor]
RESNET101 = (3, 4, 23, 3)


class Weights:
    """Makes tensors: convolutions that keep the size, and normalisations that are not trivial."""

    def __init__(self, seed: int) -> None:
        self.random = torch.Generator().manual_seed(seed)
        self.tensors: Tensors = {}

    def normal(self, name: str, *shape: int, spread: float, mean: float = 0.0) -> None:
        self.tensors[name] = torch.randn(*shape, generator=self.random).mul_(spread).add_(mean)

    def convolution(self, name: str, inputs: int, outputs: int, size: int, *, bias: bool = False) -> None:
        self.normal(
            f"{name}.weight", outputs, inputs, size, size, spread=(2.0 / (inputs * size * size)) ** 0.5
        )
        if bias:
            self.normal(f"{name}.bias", outputs, spread=0.1)

    def transposed(
        self, name: str, inputs: int, outputs: int, size: int, stride: int, *, bias: bool = False
    ) -> None:
        self.normal(
            f"{name}.weight", inputs, outputs, size, size, spread=stride / (inputs * size * size) ** 0.5
        )
        if bias:
            self.normal(f"{name}.bias", outputs, spread=0.1)

    def norm(self, name: str, channels: int, *, scale: float = 1.0) -> None:
        self.normal(f"{name}.weight", channels, spread=0.1 * scale, mean=scale)
        self.normal(f"{name}.bias", channels, spread=0.1)
        self.normal(f"{name}.running_mean", channels, spread=0.1)
        self.tensors[f"{name}.running_var"] = torch.rand(channels, generator=self.random) + 0.5
        self.tensors[f"{name}.num_batches_tracked"] = torch.tensor(1000)


def planar(
    blocks: Iterable[int] = RESNET101,
    width: int = 64,
    inner: int = 37,
    classes: int = 5,
    seed: int = 0,
    prefix: str = "model.",
    *,
    bottleneck: bool = True,
) -> Tensors:
    """The state dict of a LayoutSeg of LSUN-room, torchvision's unused classifier included."""
    make, inputs = Weights(seed), width
    make.convolution("resnet.conv1", 3, width, 7)
    make.norm("resnet.bn1", width)
    for stage, count in enumerate(blocks, start=1):
        middle = width * 2 ** (stage - 1)
        for i in range(count):
            name = f"resnet.layer{stage}.{i}"
            outputs = 4 * middle if bottleneck else middle
            three, two = (
                [(inputs, middle, 1), (middle, middle, 3), (middle, outputs, 1)],
                [(inputs, middle, 3), (middle, middle, 3)],
            )
            for k, (before, after, size) in enumerate(three if bottleneck else two, start=1):
                make.convolution(f"{name}.conv{k}", before, after, size)
                make.norm(f"{name}.bn{k}", after, scale=0.3 if k > 1 else 1.0)
            if i == 0 and (stage > 1 or inputs != outputs):
                make.convolution(f"{name}.downsample.0", inputs, outputs, 1)
                make.norm(f"{name}.downsample.1", outputs)
            inputs = outputs
    make.normal("resnet.fc.weight", 1000, inputs, spread=0.01)
    make.normal("resnet.fc.bias", 1000, spread=0.01)
    make.norm("planar_seg.bn", inputs)
    make.convolution("planar_seg.fc_conv", inputs, inputs, 1)
    for k, channels in enumerate((inputs, inputs, inputs // 2), start=1):
        make.convolution(f"planar_seg.clf{k}", channels, inner, 1)
    for k, (size, stride) in enumerate(((4, 2), (4, 2), (32, 16)), start=1):
        make.transposed(f"planar_seg.dec{k}", inner, inner, size, stride)
    make.convolution("planar_seg.fc_stage2", inner, classes, 1)
    return {prefix + name: tensor for name, tensor in make.tensors.items()}


def planar_logits(tensors: Mapping[str, Tensor], images: Tensor) -> Tensor:
    """What LSUN-room's network makes of pictures (N, 3, 320, 320) in [0, 1]."""
    t = {name.removeprefix("model."): tensor for name, tensor in tensors.items()}

    def normed(x: Tensor, name: str) -> Tensor:
        return F.batch_norm(
            x, *(t[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias"))
        )

    x = F.relu(
        normed(F.conv2d((images - 0.5) / 0.5, t["resnet.conv1.weight"], stride=2, padding=3), "resnet.bn1")
    )
    x = F.max_pool2d(x, 3, 2, 1)
    seen = {}
    for stage in (1, 2, 3, 4):
        i = 0
        while (name := f"resnet.layer{stage}.{i}") + ".conv1.weight" in t:
            stride = 2 if stage > 1 and i == 0 else 1
            if f"{name}.conv3.weight" in t:
                y = F.relu(normed(F.conv2d(x, t[f"{name}.conv1.weight"]), f"{name}.bn1"))
                y = F.relu(
                    normed(F.conv2d(y, t[f"{name}.conv2.weight"], stride=stride, padding=1), f"{name}.bn2")
                )
                y = normed(F.conv2d(y, t[f"{name}.conv3.weight"]), f"{name}.bn3")
            else:
                y = F.relu(
                    normed(F.conv2d(x, t[f"{name}.conv1.weight"], stride=stride, padding=1), f"{name}.bn1")
                )
                y = normed(F.conv2d(y, t[f"{name}.conv2.weight"], padding=1), f"{name}.bn2")
            if f"{name}.downsample.0.weight" in t:
                x = normed(
                    F.conv2d(x, t[f"{name}.downsample.0.weight"], stride=stride), f"{name}.downsample.1"
                )
            x, i = F.relu(x + y), i + 1
        seen[stage] = x
    e5, e6, e7 = seen[3], seen[4], F.max_pool2d(seen[4], 3, 2, 1)
    head = {
        name.removeprefix("planar_seg."): tensor
        for name, tensor in t.items()
        if name.startswith("planar_seg.")
    }
    x = F.relu(normed(F.conv2d(e7, head["fc_conv.weight"]), "planar_seg.bn"))
    d6 = F.conv_transpose2d(F.conv2d(x, head["clf1.weight"]), head["dec1.weight"], stride=2, padding=1)
    d5 = F.conv_transpose2d(F.conv2d(e6, head["clf2.weight"]) + d6, head["dec2.weight"], stride=2, padding=1)
    d0 = F.conv_transpose2d(F.conv2d(e5, head["clf3.weight"]) + d5, head["dec3.weight"], stride=16, padding=8)
    return F.conv2d(d0, head["fc_stage2.weight"])


def face_parser(classes: int = 15, feature_scale: int = 4, seed: int = 0) -> Tensors:
    """The state dict of a face parser of CelebAMask-HQ."""
    make = Weights(seed)
    widths = [width // feature_scale for width in (64, 128, 256, 512, 1024)]

    def twice(name: str, inputs: int, outputs: int) -> None:
        for k, before in ((1, inputs), (2, outputs)):
            make.convolution(f"{name}.conv{k}.0", before, outputs, 3, bias=True)
            make.norm(f"{name}.conv{k}.1", outputs)

    for name, inputs, outputs in zip(
        ("conv1", "conv2", "conv3", "conv4", "center"), (3, *widths), widths, strict=False
    ):
        twice(name, inputs, outputs)
    for k in (4, 3, 2, 1):
        twice(f"up_concat{k}.conv", widths[k], widths[k - 1])
        make.transposed(f"up_concat{k}.up", widths[k], widths[k - 1], 2, 2, bias=True)
    make.convolution("final", widths[0], classes, 1, bias=True)
    return make.tensors


def face_logits(t: Mapping[str, Tensor], images: Tensor) -> Tensor:
    """What LinearGAN's face segmenter makes of pictures (N, 3, 512, 512) in [0, 1]."""

    def twice(x: Tensor, name: str) -> Tensor:
        for k in (1, 2):
            x = F.conv2d(x, t[f"{name}.conv{k}.0.weight"], t[f"{name}.conv{k}.0.bias"], padding=1)
            x = F.relu(
                F.batch_norm(
                    x,
                    *(
                        t[f"{name}.conv{k}.1.{part}"]
                        for part in ("running_mean", "running_var", "weight", "bias")
                    ),
                )
            )
        return x

    conv1 = twice(images * 2.0 - 1.0, "conv1")
    conv2 = twice(F.max_pool2d(conv1, 2), "conv2")
    conv3 = twice(F.max_pool2d(conv2, 2), "conv3")
    conv4 = twice(F.max_pool2d(conv3, 2), "conv4")
    x = twice(F.max_pool2d(conv4, 2), "center")
    for k, lateral in ((4, conv4), (3, conv3), (2, conv2), (1, conv1)):
        up = F.conv_transpose2d(x, t[f"up_concat{k}.up.weight"], t[f"up_concat{k}.up.bias"], stride=2)
        x = twice(torch.cat([lateral, up], dim=1), f"up_concat{k}.conv")
    return F.conv2d(x, t["final.weight"], t["final.bias"])
