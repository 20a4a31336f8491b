"""Fill in tensors that a StyleGAN2 file need not store."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ..shared.modulated import fir_kernel
from ..shared.noise import fixed
from ..shared.unstored import noise_and_mean


def fill_missing(
    network: nn.Module, tensors: Mapping[str, Tensor], *, taps: tuple[float, ...], fixed_noise: bool
) -> dict[str, Tensor]:
    """Return the tensors that complete those of a file.

    - A network has one low-pass filter, which a file stores once per layer, once, or not at all. Layers that
      do not double the size have [1, 3, 3, 1] and do not use it.
    - A network trained without noise stores no noise at all. Its noise strength is 0.
    - Old files lack the fixed noise, which their own code draws at every start. Here it is the same every
      time.

    Args:
        network: on the meta device, for its names and shapes.
        tensors: of the file, by the names used here.
        taps: of the low-pass filter, if none is stored.
        fixed_noise: whether files of this layout may lack the fixed noise.
    """
    missing = {
        name: tuple(tensor.shape) for name, tensor in network.state_dict().items() if name not in tensors
    }
    kernels = [tensors[name] for name in sorted(tensors) if name.endswith(".resample_filter")]
    kernel = kernels[0] if kernels else fir_kernel(taps)
    added = {
        name: fir_kernel().to(kernel) if ".conv1." in name else kernel.clone()
        for name in missing
        if name.endswith(".resample_filter")
    }
    has_strength, has_const = (
        any(name.endswith(ending) for name in tensors) for ending in (".noise_strength", ".noise_const")
    )
    if not has_strength and not has_const:
        added |= {
            name: torch.zeros([]).expand(shape)
            for name, shape in missing.items()
            if name.endswith((".noise_strength", ".noise_const"))
        }
    elif fixed_noise and not has_const:
        noise_names = [name for name in missing if name.endswith(".noise_const")]
        # Only if nothing else is missing: otherwise a hostile file could state a size that exhausts memory.
        # Such a file is refused, but what it need not store is not missing.
        whole = len(missing) == len(added) + len(noise_names)
        added |= {
            name: fixed(missing[name], part) if whole else torch.zeros([]).expand(missing[name])
            for part, name in enumerate(noise_names, 2)
        }
    return added


def assumed_tensors(stored: Mapping[str, Tensor], added: Mapping[str, Tensor], means: int) -> tuple[str, ...]:
    """Return sentences on the tensors that a file does not store, and on filters that are not the usual one.

    Args:
        stored: tensors of the file, by the names used here.
        added: those that fill_missing() added.
        means: number of mean w that the network has.
    """
    filters = [tensor for name, tensor in {**added, **stored}.items() if name.endswith(".resample_filter")]
    unusual = sum(not _is_usual(kernel) for kernel in filters)
    sentence = (
        f"{unusual} of {len(filters)} low-pass filters are not the usual [1, 3, 3, 1]: "
        "those of the file are used"
    )
    return *noise_and_mean(stored, added, means), *((sentence,) if unusual else ())


def _is_usual(kernel: Tensor) -> bool:
    """Return whether a stored filter is [1, 3, 3, 1] along both axes, to half precision."""
    usual = fir_kernel()
    return (
        kernel.shape == usual.shape
        and not kernel.is_complex()
        and torch.allclose(kernel.float(), usual, atol=1e-3)
    )
