"""Undo truncation, which draws codes towards a point: c_l = m_l + scale_l (w_l - m_l) at each layer.

Shapes: N samples, L layers, D code size.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..plugins.generator import Generator
from .code_spaces import CodeSpace, statistics_of_w
from .moves import untruncated


@torch.inference_mode()
def mean_code(generator: Generator, condition: Tensor | None = None) -> Tensor | None:
    """Return the w towards which truncation pulls samples, for each layer: (N, L, D), or (1, L, D).

    mean_l = broadcast(0)_l / (1 - scale_l) where truncation acts; elsewhere no mean is needed, and it is 0.
    None if broadcast() is not a truncation towards a point.

    Args:
        generator: generator of the samples.
        condition: of the N samples, on which the mean may depend; None if they have none.
    """
    rows = 1 if condition is None else len(condition)
    zero = torch.zeros(rows, generator.card.code_size, device=generator.device)
    base = generator.broadcast(zero, condition).float()  # (N, L, D)
    ones = generator.broadcast(zero + 1.0, condition).float()
    scale = torch.from_numpy(np.asarray(generator.layer_scale, dtype=np.float32)).to(base)[:, None]
    if not torch.allclose(ones - base, scale.expand_as(base), atol=1e-4, rtol=1e-4):
        return None
    return torch.where(
        scale == 1.0,
        torch.zeros_like(base),
        base / torch.where(scale == 1.0, torch.ones_like(scale), 1.0 - scale),
    )


@torch.no_grad()
def untruncated_codes(generator: Generator, codes: Tensor, condition: Tensor | None = None) -> Tensor | None:
    """Return the w (N, L, D) whose broadcast has codes (N, L, D), one w for each layer.

    Where truncation takes all w to one point (scale 0), it is that point. None if broadcast() is not a
    truncation towards a point.

    Args:
        generator: generator of the codes.
        codes: as broadcast() gives them, or moved.
        condition: of the N samples, on which the point may depend; None if they have none.
    """
    mean = mean_code(generator, condition)
    if mean is None:
        return None
    scale = generator.layer_scale
    return torch.stack(
        [
            codes[:, layer] if scale[layer] == 0.0 else untruncated(codes, layer, scale, mean.to(codes))
            for layer in range(codes.shape[1])
        ],
        dim=1,
    )


@torch.no_grad()
def centre_of_codes(generator: Generator, condition: Tensor | None = None, seed: int = 0) -> Tensor | None:
    """Return the code around which samples lie at each layer: (N, L, D), or (1, L, D).

    Where truncation acts it is the point towards which that pulls. Elsewhere it is the mean w of samples, or
    0 where the generator has no w, since a prior of z has the mean 0.

    Args:
        generator: generator of the codes.
        condition: of the N samples, on which the point may depend; None if they have none.
        seed: of the samples whose mean is taken.

    Returns:
        None if broadcast() is not a truncation towards a point.
    """
    mean = mean_code(generator, condition)
    if mean is None or generator.space == "z" or not (generator.layer_scale == 1.0).any():
        return mean
    free = torch.from_numpy(np.asarray(generator.layer_scale) == 1.0).to(mean.device)
    return torch.where(free[:, None], statistics_of_w(generator, seed)[0].to(mean), mean)


def truncated_by(codes: Tensor, centre: Tensor, factor: float) -> Tensor:
    """Compute codes that lie nearer to a point, or farther: c' = m + t (c - m).

    It comes on top of the truncation that the codes have: psi of the generator and t are psi t together.

    Args:
        codes: c (N, L, D).
        centre: m, (N, L, D) or (1, L, D), from `centre_of_codes`.
        factor: t; 1 leaves the codes as they are, bit by bit.

    Returns:
        c' (N, L, D).
    """
    return codes if factor == 1.0 else centre + factor * (codes - centre)


@torch.no_grad()
def start_of_codes(space: CodeSpace, codes: Tensor) -> Tensor | None:
    """Return the variables (N, L, D) of a space with a code per layer, whose codes are these (N, L, D).

    None if truncation of this generator cannot be undone.
    """
    w = untruncated_codes(space.generator, codes, space.condition)
    return w if w is None or space.mean is None or space.sd is None else (w - space.mean) / space.sd
