"""Compare gradients of pictures with finite differences."""

from __future__ import annotations

import torch
from ganstrata import Generator, render
from torch import Tensor


def checked_gradient(generator: Generator, codes: Tensor) -> Tensor:
    """Return the gradient of a random sum of pixels by codes (N, L, D), compared with differences."""
    codes = codes.clone().requires_grad_(True)
    images = render(generator, codes)
    probe = torch.randn(images.shape, generator=torch.Generator().manual_seed(3))
    (gradient,) = torch.autograd.grad((images * probe).sum(), codes)
    step, h = torch.randn(codes.shape, generator=torch.Generator().manual_seed(4)), 1e-3
    ends = [render(generator, codes.detach() + sign * h * step) for sign in (1.0, -1.0)]
    difference = ((ends[0] - ends[1]).double() * probe).sum() / (2.0 * h)
    assert abs(float(difference - (gradient * step).sum())) < 0.02 * float((gradient * step).abs().sum())
    return gradient
