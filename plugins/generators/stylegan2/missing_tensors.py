"""Fill in tensors that a StyleGAN2 file need not store."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ....core.randomness import Stream, Use, normals
from .network import fir_kernel


def fill_missing(
    network: nn.Module, tensors: Mapping[str, Tensor], *, taps: tuple[float, ...], fixed_noise: bool
) -> dict[str, Tensor]:
    """Return the tensors that are added to those of a file before they are compared with the network.

    - Low-pass filters: a network has one, stored many times, once or never.
    - Noise of a network that was built without it, so that no strength is stored: its strength is 0.
    - Fixed noise that old files lack, which the reference draws anew at every start: always the same here.

    Args:
        network: on the meta device, for its names and shapes.
        tensors: of the file, by the names used here.
        taps: of the filter, if none is stored.
        fixed_noise: whether files of this layout may lack it.
    """
    missing = {
        name: tuple(tensor.shape) for name, tensor in network.state_dict().items() if name not in tensors
    }
    kernels = [tensors[name] for name in sorted(tensors) if name.endswith(".resample_filter")]
    kernel = kernels[0] if kernels else fir_kernel(taps)
    added = {name: kernel.clone() for name in missing if name.endswith(".resample_filter")}
    noise = {
        ending: any(name.endswith(ending) for name in tensors)
        for ending in (".noise_strength", ".noise_const")
    }
    if not any(noise.values()):
        added |= {
            name: torch.zeros([]).expand(shape)
            for name, shape in missing.items()
            if name.endswith((".noise_strength", ".noise_const"))
        }
    elif fixed_noise and not noise[".noise_const"]:
        noise_names = [name for name in missing if name.endswith(".noise_const")]
        if len(missing) == len(added) + len(
            noise_names
        ):  # nothing else is missing, so the size is more than a claim
            added |= {name: _draw_noise(missing[name], part) for part, name in enumerate(noise_names, 2)}
    return added


def _draw_noise(shape: tuple[int, ...], part: int) -> Tensor:
    """Return fixed standard normal noise of a square shape."""
    size = shape[0]
    return torch.from_numpy(normals(0, Stream.PROBING, Use.NOISE, range(1), size * size, part=part)).reshape(
        size, size
    )
