"""Compute LPIPS 0.1: a distance of feature maps with learnt weights of channels.

    d = sum over stages k of the mean over pixels of sum_c w^k_c (f^k_c - g^k_c)^2

with f^k unit vectors as in `perceptual`. The networks are VGG16 and AlexNet with the weights of torchvision,
cut after the ReLU of conv1_2, conv2_2, conv3_3, conv4_3 and conv5_3, or after every ReLU of AlexNet's five
convolutions; the weights of channels are the heads that the authors publish. Both files are the user's.

Distances by VGG and by AlexNet do not compare, nor do those of pictures of different sizes.

Source: Zhang, Isola, Efros, Shechtman and Wang 2018, "The Unreasonable Effectiveness of Deep Features as a
Perceptual Metric", eq. 1, version 0.1.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ..checkpoints import Checkpoint, locate, read_checkpoint, unreal
from ..errors import CheckpointError, DataError
from ..plugins.records import Rendering
from .perceptual import unit

SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)  # of pictures in [-1, 1]
HEAD = re.compile(r"lin(?:s\.)?(\d)\.model\.\d\.weight")


@dataclass(frozen=True)
class Layout:
    """Describe a network of five stages of convolutions, each followed by a ReLU.

    Attributes:
        name: as people say.
        stages: for each stage, the numbers N of its tensors `features.N.weight` and `.bias`.
        kernels: by number, size, stride and padding of a convolution; those not named are 3, 1, 1.
        pool: size of the max pooling, of stride 2, before the stages of `pooled`.
        pooled: numbers of these stages, from 0.
        smallest: side of the smallest picture that it reads, in pixels.
    """

    name: str
    stages: tuple[tuple[int, ...], ...]
    kernels: Mapping[int, tuple[int, int, int]]
    pool: int
    pooled: tuple[int, ...]
    smallest: int


KINDS = {
    "vgg": Layout(
        "VGG16", ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21), (24, 26, 28)), {}, 2, (1, 2, 3, 4), 16
    ),
    "alex": Layout(
        "AlexNet", ((0,), (3,), (6,), (8,), (10,)), {0: (11, 4, 2), 3: (5, 1, 2)}, 3, (1, 2), 31
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Lpips:
    """Compare pictures by LPIPS.

    Attributes:
        kind: vgg or alex.
        tensors: weights (O, I, k, k) and biases (O,) of the convolutions, as `features.N.weight`.
        heads: weights of channels (C_k,) of the five stages.
        digest: hash of both files.
    """

    kind: str
    tensors: Mapping[str, Tensor]
    heads: tuple[Tensor, ...]
    digest: str

    @property
    def name(self) -> str:
        """Return the version, the network and the beginning of the hash."""
        return f"LPIPS 0.1 {self.kind} {self.digest[:8]}"

    def features(self, rendering: Rendering) -> Sequence[Tensor]:
        """Return the feature maps (N, C_k, H_k, W_k) of the five stages, of pictures as they are."""
        images, layout = rendering.images, KINDS[self.kind]
        shift, scale = (images.new_tensor(values).view(1, 3, 1, 1) for values in (SHIFT, SCALE))
        x = (2.0 * images - 1.0 - shift) / scale
        maps = []
        for k, numbers in enumerate(layout.stages):
            if k in layout.pooled:
                x = F.max_pool2d(x, layout.pool, 2)
            for number in numbers:
                weight, bias = (
                    self.tensors[f"features.{number}.weight"],
                    self.tensors[f"features.{number}.bias"],
                )
                _, stride, padding = layout.kernels.get(number, (3, 1, 1))
                x = F.relu(F.conv2d(x, weight, bias, stride, padding))
            maps.append(x)
        return maps

    def compare(self, first: Sequence[Tensor], second: Sequence[Tensor]) -> Tensor:
        """Return the distances (N,) of pictures with these feature maps."""
        parts = []
        for x, y, head in zip(first, second, self.heads, strict=True):
            squares = (unit(x) - unit(y)).square() * head.view(1, -1, 1, 1)  # (N, C, H, W)
            parts.append(squares.sum(dim=1).flatten(1).mean(dim=1))
        return torch.stack(parts).sum(dim=0)


def load_lpips(kind: str, trunk: str, heads: str, device: torch.device, height: int, width: int) -> Lpips:
    """Load LPIPS from two files, which are read without running anything in them.

    Args:
        kind: vgg or alex.
        trunk: file of torchvision's vgg16 or alexnet; its classifier may be missing.
        heads: file of the weights of channels, vgg.pth or alex.pth of LPIPS 0.1.
        device: where it computes.
        height: of the pictures to compare, in pixels.
        width: of them.

    Raises:
        CheckpointError: a file is missing, or does not hold these tensors.
        DataError: the pictures are too small for the network.
    """
    layout = KINDS[kind]
    if min(height, width) < layout.smallest:
        raise DataError(
            f"{layout.name} reads pictures of at least {layout.smallest} px, "
            f"and these have {height} x {width} px (height x width)"
            + ("; lpips:vgg reads smaller ones" if kind == "alex" else "; use a scorer's network")
        )
    network, weights = (read_checkpoint(locate(file, "perceptual")) for file in (trunk, heads))
    tensors = _trunk(network, layout)
    widths = [len(tensors[f"features.{numbers[-1]}.bias"]) for numbers in layout.stages]
    channels = _heads(weights, widths)
    digest = hashlib.sha256(f"{network.sha256} {weights.sha256}".encode()).hexdigest()
    return Lpips(
        kind,
        {name: _ready(x, device) for name, x in tensors.items()},
        tuple(_ready(x, device) for x in channels),
        digest,
    )


def _ready(tensor: Tensor, device: torch.device) -> Tensor:
    tensor = tensor.detach().to(device, torch.float32)
    return tensor.to(memory_format=torch.channels_last) if tensor.ndim == 4 else tensor


def _trunk(checkpoint: Checkpoint, layout: Layout) -> dict[str, Tensor]:
    """Return the tensors of the convolutions, whose shapes fit together.

    Raises:
        CheckpointError: one is missing, or has another shape, or values that are not finite.
    """
    tensors: dict[str, Tensor] = {}
    inputs = 3
    for number in (number for numbers in layout.stages for number in numbers):
        side = layout.kernels.get(number, (3, 1, 1))[0]
        names = f"features.{number}.weight", f"features.{number}.bias"
        weight, bias = (checkpoint.tensors.get(name) for name in names)
        if weight is None or bias is None:
            raise CheckpointError(
                f"{checkpoint.path} is not {layout.name} as torchvision stores it: it has no "
                f"{names[0] if weight is None else names[1]}"
            )
        wanted = (len(bias) if bias.ndim == 1 else -1, inputs, side, side)
        if tuple(weight.shape) != wanted or not weight.is_floating_point() or not bias.is_floating_point():
            raise CheckpointError(
                f"{checkpoint.path} is not {layout.name} as torchvision stores it: {names[0]} is "
                f"{tuple(weight.shape)} of {weight.dtype} with a bias {tuple(bias.shape)}; "
                f"floats (channels, {inputs}, {side}, {side}) and (channels) were expected"
            )
        tensors |= dict(zip(names, (weight, bias), strict=True))
        inputs = len(bias)
    _refuse_unreal(checkpoint, tensors)
    return tensors


def _heads(checkpoint: Checkpoint, widths: Sequence[int]) -> list[Tensor]:
    """Return the weights of channels of all stages.

    Raises:
        CheckpointError: they are missing, of another network, negative or not finite.
    """
    found = {
        int(match[1]): tensor
        for name, tensor in checkpoint.tensors.items()
        if (match := HEAD.fullmatch(name)) is not None
    }
    if set(found) != set(range(len(widths))):
        raise CheckpointError(
            f"{checkpoint.path} does not hold the heads of LPIPS 0.1: lin0.model.1.weight to "
            f"lin{len(widths) - 1}.model.1.weight were expected"
        )
    heads = []
    for k, width in enumerate(widths):
        if tuple(found[k].shape) != (1, width, 1, 1) or not found[k].is_floating_point():
            raise CheckpointError(
                f"{checkpoint.path}: head {k} is {tuple(found[k].shape)} of {found[k].dtype}; floats "
                f"(1, {width}, 1, 1) were expected: the heads are of another network than the trunk"
            )
        heads.append(found[k].flatten())
    _refuse_unreal(checkpoint, {f"head {k}": head for k, head in enumerate(heads)})
    negative = next((k for k, head in enumerate(heads) if bool((head < 0.0).any())), None)
    if negative is not None:
        raise CheckpointError(
            f"{checkpoint.path}: head {negative} has negative weights, so that different pictures could be "
            "nearer than equal ones; the published heads have none"
        )
    return heads


def _refuse_unreal(checkpoint: Checkpoint, tensors: Mapping[str, Tensor]) -> None:
    """Refuse values that are not finite real numbers.

    Raises:
        CheckpointError: there are some.
    """
    for name in unreal(tensors)[:1]:
        raise CheckpointError(f"{checkpoint.path}: {name} holds values that are not finite real numbers")
