"""What the bundled scorers share: image size, a convolution, and reading a checkpoint into a network."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from ...core.checkpoints import Checkpoint
from ...core.errors import CheckpointError
from ...core.text import shown


def to_size(images: Tensor, size: int) -> Tensor:
    """Images (N, 3, H, W) clamped to [0, 1] and resized to a square, antialiased."""
    images = images.clamp(0.0, 1.0)
    if tuple(images.shape[-2:]) == (size, size):
        return images
    return F.interpolate(images, size=(size, size), mode="bilinear", antialias=True, align_corners=False)


def convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """3x3 convolution, batch normalisation, ReLU."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


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
        raise CheckpointError(f"{checkpoint.path} is no {what}: its header {named}, expected '{architecture}'")


def names(checkpoint: Checkpoint, key: str) -> tuple[str, ...]:
    """A list of names from a checkpoint's header.

    Raises:
        CheckpointError: it is not there.
    """
    found = checkpoint.settings.get(key)
    if not isinstance(found, list) or not found or not all(isinstance(name, str) for name in found):
        raise CheckpointError(f"{checkpoint.path}: its header lists no {key}")
    return tuple(found)


def fit(network: nn.Module, checkpoint: Checkpoint) -> None:
    """Load a checkpoint's tensors into a network, in float32, for inference.

    Raises:
        CheckpointError: tensors are missing, superfluous or of another shape.
    """
    expected = {name: tuple(t.shape) for name, t in network.state_dict().items()}
    found = {name: tuple(t.shape) for name, t in checkpoint.tensors.items()}
    faults = sorted(
        f"{name} is {found.get(name, 'missing')}, expected {expected.get(name, 'no such tensor')}"
        for name in expected.keys() | found.keys()
        if expected.get(name) != found.get(name)
    )
    if faults:
        more = f" and {len(faults) - 3} more" if len(faults) > 3 else ""
        raise CheckpointError(f"{checkpoint.path} does not fit its architecture: {'; '.join(faults[:3])}{more}")
    network.load_state_dict({name: t.float() if t.is_floating_point() else t for name, t in checkpoint.tensors.items()})
    fuse(network)
