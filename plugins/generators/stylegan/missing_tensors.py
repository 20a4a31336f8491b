"""Fill in tensors that a StyleGAN file need not store."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from ....core.checkpoints.skeleton import shapes_only
from ..shared.noise import fixed

NOISE = (".noise_strength", ".noise_const")


def fill_missing(
    build: Callable[[], nn.Module], tensors: Mapping[str, Tensor], *, fixed_noise: bool
) -> dict[str, Tensor]:
    """Return the tensors that complete those of a file.

    - A network trained without noise stores no noise at all. Its noise strength is 0.
    - A file without fixed noise gets one that is the same every time. It is drawn only if all weights are
      present, so that a hostile file cannot state a size that exhausts the memory.

    Args:
        build: builds the network.
        tensors: of the file, by the names used here.
        fixed_noise: whether files of this layout may lack the fixed noise.
    """
    try:
        with shapes_only():
            expected = {name: tuple(tensor.shape) for name, tensor in build().state_dict().items()}
    # compare() reports sizes that torch cannot build.
    except (RuntimeError, ValueError, OverflowError):
        return {}
    missing = {name: shape for name, shape in expected.items() if name not in tensors}
    if not any(name.endswith(NOISE) for name in tensors):
        return {
            name: torch.zeros([]).expand(shape) for name, shape in missing.items() if name.endswith(NOISE)
        }
    complete = all(tuple(tensors[name].shape) == shape for name, shape in expected.items() if name in tensors)
    if not fixed_noise:
        return {}
    if not complete or any(not name.endswith(".noise_const") for name in missing):
        # The file is refused; what it need not store is not missing.
        return {
            name: torch.zeros([]).expand(shape)
            for name, shape in missing.items()
            if name.endswith(".noise_const")
        }
    return {name: fixed(missing[name], part) for part, name in enumerate(missing, 2)}
