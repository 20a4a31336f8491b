"""What the bundled scorers share: image size, a convolution, and reading a checkpoint into a network."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from ...core.checkpoints import Checkpoint, unreal
from ...core.errors import CheckpointError
from ...core.storage.naming import fault_of
from ...core.text import shown, visible

COUNTER = "num_batches_tracked"
N = TypeVar("N", bound=nn.Module)


def to_size(images: Tensor, size: int) -> Tensor:
    """Images (N, 3, H, W) clamped to [0, 1] and resized to a square, antialiased."""
    images = images.clamp(0.0, 1.0)
    if tuple(images.shape[-2:]) == (size, size):
        return images
    return F.interpolate(images, size=(size, size), mode="bilinear", antialias=True, align_corners=False)


def convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """3x3 convolution, batch normalisation, ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )


def fuse(network: nn.Module) -> None:
    """Put every convolution's batch normalisation into its weights, for inference."""
    for module in network.modules():
        if not isinstance(module, nn.Sequential) or len(module) != 3:
            continue
        first, second, _ = module
        if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
            module[0], module[1] = fuse_conv_bn_eval(first.eval(), second.eval()), nn.Identity()


def require(checkpoint: Checkpoint, architecture: str, what: str) -> None:
    """Refuse a checkpoint whose header names another architecture.

    Raises:
        CheckpointError: it is no `what`.
    """
    found = checkpoint.settings.get("architecture")
    if found != architecture:
        named = f"names {shown(found)}" if found is not None else "names no architecture"
        raise CheckpointError(
            f"{checkpoint.path} is no {what}: its header {named}, expected '{architecture}'"
        )


def names(checkpoint: Checkpoint, key: str) -> tuple[str, ...]:
    """A list of names from a checkpoint's header, each of which may name a concept.

    Raises:
        CheckpointError: it is not there, or has a name that is no name, or comes twice.
    """
    found = checkpoint.settings.get(key)
    if not isinstance(found, list) or not found or not all(isinstance(name, str) for name in found):
        raise CheckpointError(f"{checkpoint.path}: its header lists no {key}")
    for name, count in Counter(found).items():
        fault = (
            "comes twice"
            if count > 1
            else "holds '/', which stands between a scorer and its concepts"
            if "/" in name
            else fault_of(name)
        )
        if fault:
            raise CheckpointError(f"{checkpoint.path}: of the {key} in its header, '{visible(name)}' {fault}")
    return tuple(found)


def fitted(
    build: Callable[[], N], tensors: Mapping[str, Tensor], path: Path, what: str = "its architecture"
) -> N:
    """A network with a checkpoint's tensors, in float32.

    It is built where tensors have shapes only, so whatever sizes a file claims, no memory is taken before all fit.

    Args:
        build: makes the network.
        tensors: the file's; counters of batch normalisations, which inference does not ask for, may be missing.
        path: of the file.
        what: the network is, for messages.

    Raises:
        CheckpointError: tensors are missing, superfluous, of another shape, or hold values that are not finite real numbers.
    """
    try:
        with warnings.catch_warnings(action="ignore"), torch.device("meta"):  # about sizes of 0
            network = build()
    except (
        RuntimeError,
        ValueError,
        OverflowError,
        ZeroDivisionError,
    ):  # of torch: a size below zero, or beyond what can be counted
        raise CheckpointError(f"{path}: there is no network of the sizes that its tensors claim") from None
    wanted = network.state_dict()
    tensors = {
        **{name: torch.zeros((), dtype=torch.long) for name in wanted if name.endswith(COUNTER)},
        **tensors,
    }
    expected, found = ({name: tuple(t.shape) for name, t in held.items()} for held in (wanted, tensors))
    faults = sorted(
        f"{name} is {found.get(name, 'missing')}, expected {expected.get(name, 'no such tensor')}"
        for name in expected.keys() | found.keys()
        if expected.get(name) != found.get(name)
    )
    faults += [f"{name} holds values that are not finite real numbers" for name in unreal(tensors)]
    if faults:
        more = f" and {len(faults) - 3} more" if len(faults) > 3 else ""
        raise CheckpointError(f"{path} does not fit {what}: {'; '.join(faults[:3])}{more}")
    network.load_state_dict(
        {name: tensor.to(wanted[name].dtype) for name, tensor in tensors.items()}, assign=True
    )
    return network
