"""Reads the architecture of a StyleGAN2 off the shapes of its tensors; nothing has to be told."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from ....core.checkpoints import Checkpoint
from ....core.errors import CheckpointError
from .network import Network

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Architecture:
    """Sizes of a network; `channels` maps each resolution to its width."""

    channels: dict[int, int]
    z_dim: int
    w_dim: int
    mapping_layers: int
    mapping_width: int
    classes: int
    clamp: float | None = None

    @property
    def resolution(self) -> int:
        """Width and height of the images."""
        return max(self.channels)

    @property
    def layers(self) -> int:
        """L: two per resolution, 2 log2(resolution) - 2."""
        return 2 * len(self.channels)


def infer(shapes: Shapes, path: Path, clamp: float | None = None) -> Architecture:
    """The architecture behind NVIDIA's tensor names.

    Raises:
        CheckpointError: these are not the tensors of a StyleGAN2 generator.
    """
    channels = {int(m[1]): shape[0] for name, shape in shapes.items() if (m := re.fullmatch(r"synthesis\.b(\d+)\.conv1\.bias", name))}
    mapping = sorted(int(m[1]) for name in shapes if (m := re.fullmatch(r"mapping\.fc(\d+)\.weight", name)))
    sizes = [4 * 2**i for i in range(len(channels))]
    if not channels or sorted(channels) != sizes or mapping != list(range(len(mapping))) or not mapping:
        shown = ", ".join(list(shapes)[:4])
        raise CheckpointError(
            f"{path} is no StyleGAN2 generator: expected tensors such as synthesis.b4.conv1.weight and mapping.fc0.weight, found {shown} ..."
        )
    try:
        w_dim = shapes["synthesis.b4.conv1.affine.weight"][1]
        classes = shapes["mapping.embed.weight"][1] if "mapping.embed.weight" in shapes else 0
        first = shapes["mapping.fc0.weight"]
        return Architecture(
            channels=dict(sorted(channels.items())),
            z_dim=first[1] - (w_dim if classes else 0),
            w_dim=w_dim,
            mapping_layers=len(mapping),
            mapping_width=first[0],
            classes=classes,
            clamp=clamp,
        )
    except (KeyError, IndexError) as error:
        raise CheckpointError(f"{path}: a StyleGAN2 generator without {error}") from None


def load_network(checkpoint: Checkpoint) -> tuple[Network, Architecture]:
    """The network with the checkpoint's weights in float32, in evaluation mode.

    Raises:
        CheckpointError: not a StyleGAN2, or tensors missing, superfluous or of the wrong shape.
    """
    clamp = checkpoint.settings.get("conv_clamp")
    if clamp is not None and (isinstance(clamp, bool) or not isinstance(clamp, int | float) or not clamp > 0.0):
        raise CheckpointError(f"{checkpoint.path}: conv_clamp in its header is {clamp!r}, expected a number above 0")
    shapes = {name: tuple(tensor.shape) for name, tensor in checkpoint.tensors.items()}
    architecture = infer(shapes, checkpoint.path, None if clamp is None else float(clamp))
    # Shapes only: whatever sizes a file claims, no memory is taken before its tensors are seen to fit.
    with torch.device("meta"):
        network = Network(
            architecture.channels,
            architecture.z_dim,
            architecture.w_dim,
            architecture.mapping_layers,
            classes=architecture.classes,
            mapping_width=architecture.mapping_width,
        )
    expected = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    faults = [f"missing {name}" for name in expected.keys() - shapes.keys()]
    faults += [f"superfluous {name}" for name in shapes.keys() - expected.keys()]
    faults += [f"{name} is {shapes[name]}, expected {expected[name]}" for name in expected.keys() & shapes.keys() if shapes[name] != expected[name]]
    if faults:
        more = f" and {len(faults) - 5} more" if len(faults) > 5 else ""
        raise CheckpointError(f"{checkpoint.path} does not fit a StyleGAN2: {'; '.join(sorted(faults)[:5])}{more}")
    network.load_state_dict({name: tensor.float() for name, tensor in checkpoint.tensors.items()}, assign=True)
    return network, architecture
