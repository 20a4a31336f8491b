"""Fill in tensors that a StyleGAN file need not store."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from ....core.randomness import Stream, Use, normals

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
        with torch.device("meta"):
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
    if not fixed_noise or not complete or any(not name.endswith(".noise_const") for name in missing):
        return {}
    return {name: _draw_noise(missing[name], part) for part, name in enumerate(missing, 2)}


def tell_missing(stored: Mapping[str, Tensor], added: Mapping[str, Tensor], mean: int) -> list[str]:
    """Return sentences on the tensors that a file does not store.

    Args:
        stored: tensors of the file, by the names used here.
        added: those that fill_missing() added.
        mean: length of the mean w; 0 if none is stored.
    """
    told = []
    noises = sum(name.endswith(".noise_const") for name in added)
    if noises and any(name.endswith(".noise_strength") for name in stored):
        told.append(f"the file stores no fixed noise: that of {noises} layers is drawn from a fixed seed")
    elif noises:
        told.append("the file stores neither noise nor its strength: no noise is added")
    if not mean:
        told.append("the file stores no mean w: truncation uses the mean w of fixed z")
    return told


def _draw_noise(shape: tuple[int, ...], part: int) -> Tensor:
    """Return fixed standard normal noise of a shape (height, width)."""
    height, width = shape
    return torch.from_numpy(
        normals(0, Stream.PROBING, Use.NOISE, range(1), height * width, part=part)
    ).reshape(height, width)
