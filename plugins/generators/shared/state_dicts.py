"""From what a plugin found in a checkpoint to a network that holds it."""

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
from ....core.text import shown
from .layouts import Layout, Translated

LARGEST = 2**14  # pixels
N = TypeVar("N", bound=nn.Module)


class Misfits(NamedTuple):
    """Where a state dict and a network do not fit: our names, stored names, and stored names with shapes."""

    missing: tuple[str, ...]
    superfluous: tuple[str, ...]
    misshapen: tuple[str, ...]


def compare(
    build: Callable[[], nn.Module], tensors: Mapping[str, Tensor], origin: Mapping[str, str]
) -> Misfits:
    """What a network of this architecture misses in a translated state dict, and what it has no place for.

    Args:
        build: makes the network; it is called where tensors have shapes only, so whatever sizes a
            file claims, no memory is taken.
        tensors: by our names.
        origin: our name to the stored one.

    Raises:
        CheckpointError: there is no network of the sizes that the file claims.
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
    """What the architecture of every family says of itself; a dataclass of plain values."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def resolution(self) -> int:
        """Width and height of the images."""
        ...

    @property
    def z_dim(self) -> int:
        """Z."""
        ...

    @property
    def classes(self) -> int:
        """How many classes the network is conditioned on."""
        ...

    def build(self) -> nn.Module:
        """The network, with new weights."""
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
    """What a plugin found, with what does not fit.

    Args:
        family: as in the model card.
        layout: whose names the file has.
        architecture: from which the network is built.
        translated: the tensors by our names, and what had none.
        tensors: the same with what the plugin completed; default as translated.
        layers: L.
        code_size: D.

    Raises:
        CheckpointError: there is no network of the sizes that the file claims.
    """
    resolution = architecture.resolution
    if not 1 <= resolution <= LARGEST:
        raise CheckpointError(
            f"this {family} would make images {shown(resolution)} pixels wide; up to {LARGEST} can be used"
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
    """The network with the weights in float32, in evaluation mode and without gradients of its own.

    Raises:
        CheckpointError: tensors are missing, superfluous, of the wrong shape or no finite real numbers;
            the message lists them.
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
