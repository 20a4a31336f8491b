"""Apply the truncation trick of style-based generators (Karras et al. 2019, appendix B)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ....core.device import sent
from ....core.randomness import Stream, Use, normals

MEAN_SAMPLES = 10_000  # z over which w is averaged if a file stores no mean w


def scale(layers: int, psi: float, truncated: int | None) -> NDArray[np.float32]:
    """Return the factors psi (L,): `psi` on the first `truncated` layers (all if None), 1 on the others.

    psi may be any number: above 1 it exaggerates, below 0 it gives the code opposite to the mean.

    >>> scale(4, 0.5, 2).tolist()
    [0.5, 0.5, 1.0, 1.0]
    """
    scales = np.ones(layers, dtype=np.float32)
    scales[:truncated] = psi
    return scales


def truncate(w: Tensor, mean: Tensor, scales: NDArray[np.float32]) -> Tensor:
    """Return codes w'_l = m + psi_l (w - m), (N, L, D).

    Args:
        w: (N, D).
        mean: m, the mean w, (D,), (L, D), or (N, 1, D) if each sample has its own.
        scales: psi, (L,); where it is 1, codes are exactly w.
    """
    factor = sent(torch.from_numpy(scales).to(w.dtype), w.device)[None, :, None]  # (1, L, 1)
    mean = mean.to(w)
    return torch.where(factor == 1.0, w[:, None], mean + (w[:, None] - mean) * factor)


def describe(scales: NDArray[np.float32]) -> str:
    """Describe the truncation for the model card.

    >>> describe(scale(4, 0.5, 2)), describe(scale(4, 1.0, None)), describe(scale(4, 1.3, None))
    ('psi 0.5 on layers 0-1', 'none', 'psi 1.3 on layers 0-3')
    """
    truncated = np.flatnonzero(scales != 1.0)
    return f"psi {scales[0]:g} on layers 0-{truncated[-1]}" if len(truncated) else "none"


def mean_code(
    mapping: Callable[[Tensor], Tensor], z_dim: int, scales: NDArray[np.float32], device: torch.device
) -> Tensor:
    """Return the mean w (D,) of MEAN_SAMPLES fixed normal z, or zero if no layer is truncated.

    Args:
        mapping: maps z (N, Z) to w (N, D).
        z_dim: Z.
        scales: psi, (L,).
        device: of the mapping.
    """
    with torch.no_grad():
        if not (scales != 1.0).any():
            return torch.zeros_like(mapping(torch.zeros(1, z_dim, device=device))[0])
        z = torch.from_numpy(normals(0, Stream.PROBING, Use.LATENT, range(MEAN_SAMPLES), z_dim, part=1))
        w = [mapping(z[i : i + 1000].to(device)) for i in range(0, MEAN_SAMPLES, 1000)]
        return torch.cat(w).double().mean(dim=0).float()
