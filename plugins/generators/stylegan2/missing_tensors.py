"""Tensors that NVIDIA's names have and another file need not store, because they follow from what it does store."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ....core.randomness import Stream, Use, normals
from .network import fir_kernel


def fill_missing(
    network: nn.Module, tensors: Mapping[str, Tensor], *, taps: tuple[float, ...], fixed_noise: bool
) -> dict[str, Tensor]:
    """What is added to a file's tensors before they are compared with the network.

    - Low-pass filters: a network has one, stored many times, once or never.
    - Noise of a network that was built without any, so that no strength is stored: strength 0.
    - Fixed noise, where the reference draws it anew at every start because old files lack it: drawn
      once and for all.

    Args:
        network: without values, for its names and shapes.
        tensors: of the file, by our names.
        taps: of the filter, if none is stored.
        fixed_noise: whether files of this layout may lack it.
    """
    wanted = {
        name: tuple(tensor.shape) for name, tensor in network.state_dict().items() if name not in tensors
    }
    kernels = [tensors[name] for name in sorted(tensors) if name.endswith(".resample_filter")]
    kernel = kernels[0] if kernels else fir_kernel(taps)
    found = {name: kernel.clone() for name in wanted if name.endswith(".resample_filter")}
    noise = {
        ending: any(name.endswith(ending) for name in tensors)
        for ending in (".noise_strength", ".noise_const")
    }
    if not any(noise.values()):
        found |= {
            name: torch.zeros([]).expand(shape)
            for name, shape in wanted.items()
            if name.endswith((".noise_strength", ".noise_const"))
        }
    elif fixed_noise and not noise[".noise_const"]:
        places = [name for name in wanted if name.endswith(".noise_const")]
        if len(wanted) == len(found) + len(places):  # nothing else is missing: the size is no mere claim
            found |= {name: _drawn(wanted[name], part) for part, name in enumerate(places, 2)}
    return found


def _drawn(shape: tuple[int, ...], part: int) -> Tensor:
    size = shape[0]
    return torch.from_numpy(normals(0, Stream.PROBING, Use.NOISE, range(1), size * size, part=part)).reshape(
        size, size
    )
