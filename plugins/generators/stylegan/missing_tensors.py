"""Tensors that a file need not store, because they follow from what it does store."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from ....core.randomness import Stream, Use, normals

NOISE = (".noise_strength", ".noise_const")


def fill_missing(
    build: Callable[[], nn.Module], tensors: Mapping[str, Tensor], *, fixed_noise: bool
) -> dict[str, Tensor]:
    """What is added to a file's tensors before they are compared with the network.

    - A network that was built without noise stores none of it: strength 0.
    - Files that leave out the fixed noise get one, drawn once and for all. Networks are not larger
      than their weights say, so it is drawn only where all weights are there.

    Args:
        build: makes the network.
        tensors: of the file, by our names.
        fixed_noise: whether files of this layout may lack it.
    """
    try:
        with torch.device("meta"):
            expected = {name: tuple(tensor.shape) for name, tensor in build().state_dict().items()}
    except (RuntimeError, ValueError, OverflowError):  # sizes that cannot be counted: comparing tells
        return {}
    wanted = {name: shape for name, shape in expected.items() if name not in tensors}
    if not any(name.endswith(NOISE) for name in tensors):
        return {name: torch.zeros([]).expand(shape) for name, shape in wanted.items() if name.endswith(NOISE)}
    whole = all(tuple(tensors[name].shape) == shape for name, shape in expected.items() if name in tensors)
    if not fixed_noise or not whole or any(not name.endswith(".noise_const") for name in wanted):
        return {}
    return {name: _drawn(wanted[name][0], part) for part, name in enumerate(wanted, 2)}


def _drawn(size: int, part: int) -> Tensor:
    return torch.from_numpy(normals(0, Stream.PROBING, Use.NOISE, range(1), size * size, part=part)).reshape(
        size, size
    )
