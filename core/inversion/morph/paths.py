"""Go from one code to another in K steps: straight, or on an arc where codes are normally distributed.

    lerp    c(t) = (1 - t) a + t b
    slerp   z(t) = |z|(t) ( sin((1 - t) o) a/|a| + sin(t o) b/|b| ) / sin o,   o the angle of a and b

with |z|(t) = (1 - t) |a| + t |b|. Normal vectors of many entries all have nearly the same length; halfway on
the straight line they would be shorter by a factor of about sqrt(2), where no sample of the prior is.

Source: Shoemake, "Animating rotation with quaternion curves", SIGGRAPH 1985; White, "Sampling Generative
Networks", 2016, section 2.1.

Shapes: T places on the path, ... the shape of one code.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ...device import sent

PARALLEL = 1e-4  # sine of the angle below which an arc is straight


def places(steps: int) -> Tensor:
    """Return t of `steps` pictures from 0 to 1, (T,); at least 2.

    >>> places(3).tolist()
    [0.0, 0.5, 1.0]
    """
    return torch.linspace(0.0, 1.0, steps)


def lerp(first: Tensor, second: Tensor, at: Tensor) -> Tensor:
    """Return the points (T, ...) on the straight line between two tensors (...); its ends are exact.

    >>> lerp(torch.tensor([0.0, 1.0]), torch.tensor([1.0, 3.0]), torch.tensor([0.0, 0.5])).tolist()
    [[0.0, 1.0], [0.5, 2.0]]
    """
    t = sent(at.to(first.dtype), first.device).view(-1, *[1] * first.ndim)
    return (1.0 - t) * first + t * second


def slerp(first: Tensor, second: Tensor, at: Tensor) -> Tensor:
    """Return the points (T, ...) on the arc between two tensors (...), each taken as one vector.

    Where they point the same way, or to opposite sides so that no arc is the shortest, it is a straight line.

    >>> slerp(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 3.0]), torch.tensor([0.5])).round(decimals=3)
    tensor([[1.4140, 1.4140]])
    """
    a, b = first.double(), second.double()
    lengths = a.norm(), b.norm()
    angle = torch.acos(((a / lengths[0]) * (b / lengths[1])).sum().clamp(-1.0, 1.0))
    t = sent(at.double(), a.device).view(-1, *[1] * first.ndim)
    turned = torch.sin((1.0 - t) * angle) * a / lengths[0] + torch.sin(t * angle) * b / lengths[1]
    length: Tensor = (1.0 - t) * lengths[0] + t * lengths[1]
    arc: Tensor = length * turned / torch.sin(angle)
    # Both are computed, since an accelerator would have to be waited for to choose before.
    straight = (torch.minimum(*lengths) == 0.0) | (torch.sin(angle) < PARALLEL)
    return torch.where(straight, lerp(first, second, at), arc.to(first))
