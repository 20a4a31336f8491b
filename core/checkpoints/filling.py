"""Build networks with the parameters of a file, and say what does not fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from torch import Tensor, nn

from ..errors import CheckpointError
from .content import unreal
from .skeleton import shapes_only

M = TypeVar("M", bound=nn.Module)


def filled(
    build: Callable[[], M],
    tensors: Mapping[str, Tensor],
    path: Path,
    prefix: str = "",
    what: str = "its header",
) -> M:
    """Return a network in float32 with the tensors of a file whose names begin with a prefix.

    Args:
        build: builds the network; no memory is taken for its own parameters.
        tensors: all tensors of the file.
        path: the file, for messages.
        prefix: what stands before the network's own names.
        what: what the shapes are expected by, for messages.

    Raises:
        CheckpointError: tensors are missing, too many, of another shape, or not finite.
    """
    own = {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
    with shapes_only():
        network = build()
    expected = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    stored = {name: tuple(tensor.shape) for name, tensor in own.items()}
    faults = [
        f"{prefix}{name} is {stored.get(name, 'missing')}, expected {expected.get(name, 'no such tensor')}"
        for name in sorted(expected.keys() | stored.keys())
        if expected.get(name) != stored.get(name)
    ]
    faults += [f"{prefix}{name} holds values that are not finite real numbers" for name in unreal(own)]
    if faults:
        raise CheckpointError(f"{path} does not fit {what}: {'; '.join(faults[:3])}")
    network.load_state_dict(
        {name: t.float() if t.is_floating_point() else t for name, t in own.items()}, assign=True
    )
    return network
