"""Compare the tensors of a checkpoint with a network, and load them into it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol, TypeVar

import torch
from torch import Tensor, nn

from ....core.checkpoints.detect import Examined
from ....core.errors import CheckpointError
from ....core.messages import shown
from .layouts import Layout, Translated

MAX_RESOLUTION = 2**14  # pixels
N = TypeVar("N", bound=nn.Module)


class Misfits(NamedTuple):
    """Hold the differences between a state dict and a network: missing, unexpected and misshapen tensors."""

    missing: tuple[str, ...]
    superfluous: tuple[str, ...]
    misshapen: tuple[str, ...]


def compare(
    build: Callable[[], nn.Module], tensors: Mapping[str, Tensor], origin: Mapping[str, str]
) -> Misfits:
    """Compare a translated state dict with the network of an architecture.

    Args:
        build: builds the network; it is called on the meta device, so that no memory is allocated for the
            sizes that a file claims.
        tensors: by the names of this package.
        origin: maps these names to the stored ones.

    Raises:
        CheckpointError: no network has the sizes that the file claims.
    """
    try:
        with warnings.catch_warnings(action="ignore"), torch.device("meta"):  # about sizes of 0
            expected = {name: tuple(tensor.shape) for name, tensor in build().state_dict().items()}
    except (
        RuntimeError,
        ValueError,
        OverflowError,
        ZeroDivisionError,
    ):  # of torch: a size below zero, or beyond what can be counted
        raise CheckpointError("there is no network of the sizes that its tensors claim") from None
    misshapen = []
    for name in sorted(expected.keys() & tensors.keys()):
        shape = tuple(tensors[name].shape)
        if shape != expected[name]:
            misshapen.append(f"{origin.get(name, name)} is {shape}, expected {expected[name]}")
    missing = sorted(expected.keys() - tensors.keys())
    superfluous = sorted(origin.get(name, name) for name in tensors.keys() - expected.keys())
    return Misfits(tuple(missing), tuple(superfluous), tuple(misshapen))


class Architecture(Protocol):
    """Describe the architecture of a network of any family, a dataclass of plain values."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def resolution(self) -> int:
        """Width and height of the images."""
        ...

    @property
    def z_dim(self) -> int:
        """Size Z of z."""
        ...

    @property
    def classes(self) -> int:
        """Number of classes that the network is conditioned on."""
        ...

    def build(self) -> nn.Module:
        """Build the network, with new weights."""
        ...


def describe_checkpoint(
    family: str,
    layout: Layout,
    architecture: Architecture,
    translated: Translated,
    tensors: Mapping[str, Tensor] | None = None,
    *,
    layers: int,
    code_size: int,
) -> Examined:
    """Describe what a plugin found in a checkpoint, with the tensors that do not fit.

    Args:
        family: as in the model card.
        layout: of the tensor names in the file.
        architecture: from which the network is built.
        translated: tensors by the names of this package, and unknown ones.
        tensors: the same with missing ones filled in; default: as translated.
        layers: L.
        code_size: D.

    Raises:
        CheckpointError: no network has the sizes that the file claims.
    """
    resolution = architecture.resolution
    if not 1 <= resolution <= MAX_RESOLUTION:
        raise CheckpointError(
            f"this {family} would make images {shown(resolution)} pixels wide; "
            f"up to {MAX_RESOLUTION} can be used"
        )
    tensors = translated.tensors if tensors is None else tensors
    misfits = compare(architecture.build, tensors, translated.origin)
    return Examined(
        family=family,
        layout=layout.name,
        architecture=asdict(architecture),
        resolution=resolution,
        layers=layers,
        latent_size=architecture.z_dim,
        code_size=code_size,
        tensors=tensors,
        missing=misfits.missing,
        superfluous=(*translated.unknown, *misfits.superfluous),
        misshapen=misfits.misshapen,
        classes=architecture.classes,
    )


def load(build: Callable[[], N], found: Examined, path: Path) -> N:
    """Load the tensors of a checkpoint into a network, in float32, in evaluation mode, without gradients.

    Raises:
        CheckpointError: tensors are missing, unexpected, of the wrong shape or not finite real numbers; the
            message lists them.
    """
    faults = found.faults
    if faults:
        more = f" and {len(faults) - 5} more" if len(faults) > 5 else ""
        raise CheckpointError(
            f"{path} does not fit a {found.family} ({found.layout} names): {'; '.join(faults[:5])}{more}"
        )
    with torch.device("meta"):
        network = build()
    network.load_state_dict(
        {name: tensor.float().contiguous() for name, tensor in found.tensors.items()}, assign=True
    )
    return network.eval().requires_grad_(False)
