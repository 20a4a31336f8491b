"""Resize images, build convolutions and load checkpoints for the bundled scorers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from ...core.checkpoints import Checkpoint, unreal
from ...core.checkpoints.skeleton import shapes_only
from ...core.errors import CheckpointError
from ...core.messages import shown, visible
from ...core.storage.name_rules import fault_of

COUNTER = "num_batches_tracked"
N = TypeVar("N", bound=nn.Module)


def to_size(images: Tensor, size: int) -> Tensor:
    """Return images (N, 3, H, W) clamped to [0, 1] and resized to (N, 3, size, size), antialiased."""
    images = images.clamp(0.0, 1.0)
    if tuple(images.shape[-2:]) == (size, size):
        return images
    return F.interpolate(images, size=(size, size), mode="bilinear", antialias=True, align_corners=False)


def convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """Build a 3x3 convolution, batch normalisation and ReLU: (N, I, H, W) to (N, O, H/stride, W/stride)."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )


def fuse(network: nn.Module) -> None:
    """Fold every batch normalisation into the convolution before it, for inference."""
    for module in network.modules():
        if not isinstance(module, nn.Sequential) or len(module) != 3:
            continue
        first, second, _ = module
        if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
            module[0], module[1] = fuse_conv_bn_eval(first.eval(), second.eval()), nn.Identity()


def require(checkpoint: Checkpoint, architecture: str, what: str) -> None:
    """Check that the header of a checkpoint names an architecture.

    Raises:
        CheckpointError: it names another architecture, so the file is not a `what`.
    """
    stored = checkpoint.settings.get("architecture")
    if stored != architecture:
        named = f"names {shown(stored)}" if stored is not None else "names no architecture"
        raise CheckpointError(
            f"{checkpoint.path} is not a {what}: its header {named}, expected '{architecture}'"
        )


def names(checkpoint: Checkpoint, key: str) -> tuple[str, ...]:
    """Return a list of names from a checkpoint's header; each of them is valid as the name of a concept.

    Raises:
        CheckpointError: the list is missing, or a name is invalid or occurs twice.
    """
    stored = checkpoint.settings.get(key)
    if not isinstance(stored, list) or not stored or not all(isinstance(name, str) for name in stored):
        raise CheckpointError(f"{checkpoint.path}: its header lists no {key}")
    for name, count in Counter(stored).items():
        fault = (
            "occurs twice"
            if count > 1
            else "holds '/', which separates a scorer from its concepts"
            if "/" in name
            else fault_of(name)
        )
        if fault:
            raise CheckpointError(f"{checkpoint.path}: of the {key} in its header, '{visible(name)}' {fault}")
    return tuple(stored)


def load_network(
    build: Callable[[], N], tensors: Mapping[str, Tensor], path: Path, what: str = "its architecture"
) -> N:
    """Build a network and load a checkpoint's tensors into it, in float32.

    The network is first built without memory, so that none is allocated for the sizes that a file states
    until all its tensors fit.

    Args:
        build: builds the network.
        tensors: from the file; counters of batch normalisations, which inference does not need, may be
            missing.
        path: of the file.
        what: name of the architecture, for messages.

    Raises:
        CheckpointError: tensors are missing, unexpected or of another shape, or hold values that are not
            finite real numbers.
    """
    try:
        with shapes_only():
            network = build()
    # torch raises these for sizes below zero or too large to count.
    except (RuntimeError, ValueError, OverflowError, ZeroDivisionError):
        raise CheckpointError(f"{path}: there is no network of the sizes that its tensors claim") from None
    parameters = network.state_dict()
    tensors = {
        **{name: torch.zeros((), dtype=torch.long) for name in parameters if name.endswith(COUNTER)},
        **tensors,
    }
    expected = {name: tuple(tensor.shape) for name, tensor in parameters.items()}
    stored = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    faults = sorted(
        f"{name} is {stored.get(name, 'missing')}, expected {expected.get(name, 'no such tensor')}"
        for name in expected.keys() | stored.keys()
        if expected.get(name) != stored.get(name)
    )
    faults += [f"{name} holds values that are not finite real numbers" for name in unreal(tensors)]
    if faults:
        more = f" and {len(faults) - 3} more" if len(faults) > 3 else ""
        raise CheckpointError(f"{path} does not fit {what}: {'; '.join(faults[:3])}{more}")
    network.load_state_dict(
        {name: tensor.to(parameters[name].dtype) for name, tensor in tensors.items()}, assign=True
    )
    return network
