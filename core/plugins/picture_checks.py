"""Check pictures: floats (N, 3, H, W), finite, nominally in [0, 1].

Pictures of edited codes go beyond 0 and 1 and are not clamped. The range is therefore judged by shares of
values and not by the extremes. Some wrong ranges go unnoticed: bright pictures in [-1, 1] look like pictures
in [0, 1].
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..errors import DataError
from .records import Rendering

FLOATS = (torch.float32, torch.float16, torch.bfloat16)

# A generator's pictures are out of range if more than SHARE of the values lie further outside than BEYOND
# times the width of the range, or if no value is brighter than BLACK times the width.
BEYOND, SHARE = 0.25, 0.05
BLACK = 0.02
# A scorer's pictures are out of range if at least INPUT_SHARE of the values lie beyond one of these limits.
FAR_BELOW, FAR_ABOVE, INPUT_SHARE = -0.25, 2.0, 0.1
BYTES = 10.0  # pictures in [0, 255] have values above this, edited pictures do not


def range_fault(images: Tensor, low: float = 0.0, high: float = 1.0) -> str:
    """Describe why a generator's unedited pictures do not have a range; empty if they seem to have it.

    Args:
        images: (N, C, H, W), finite.
        low: value of black.
        high: value of full colour.

    >>> range_fault(torch.rand(2, 3, 8, 8))
    ''
    >>> range_fault(torch.tensor([-1.0, -0.5, 0.5, 1.0]).view(1, 1, 2, 2))
    'go from -1.00 to 1.00'
    """
    x, width = images.detach().float(), high - low
    extremes = f"go from {float(x.min()):.2f} to {float(x.max()):.2f}"
    if float(((x < low - BEYOND * width) | (x > high + BEYOND * width)).float().mean()) > SHARE:
        return extremes
    if float(x.max()) < low + BLACK * width:
        return f"{extremes}: nothing is brighter than black"
    if low < 0.0 and float(x.min()) >= (low + high) / 2.0:
        return f"{extremes}: nothing is darker than the middle"
    return ""


def input_fault(images: Tensor) -> str:
    """Describe the range of a scorer's pictures (N, 3, H, W) if it is not [0, 1], with the cure; else empty.

    The range is taken for [0, 255] if a tenth of the values lie above 2 and one above 10, or if one lies
    above 2 and all are whole numbers. It is taken for [-1, 1] if a tenth lie below -0.25 and at most 1 %
    outside [-1.1, 1.1].

    >>> input_fault(torch.linspace(-0.2, 1.2, 192).view(1, 3, 8, 8))
    ''
    >>> input_fault(torch.linspace(-1.0, 1.0, 192).view(1, 3, 8, 8))
    'in [-1, 1]; give images.add(1).div(2)'
    """
    x = images.detach().float()
    highest = float(x.max())
    large = highest > BYTES and float((x > FAR_ABOVE).float().mean()) >= INPUT_SHARE
    if large or (highest > FAR_ABOVE and bool((x == x.round()).all())):
        return "in [0, 255]; give images.div(255)"
    dark = float((x < FAR_BELOW).float().mean()) >= INPUT_SHARE
    if dark and float((x.abs() > 1.1).float().mean()) <= 0.01:
        return "in [-1, 1]; give images.add(1).div(2)"
    return ""


def check_rendering(rendering: object, owner: str, *, judge_range: bool) -> None:
    """Refuse input that a scorer cannot score.

    Args:
        rendering: the argument of the scorer's method.
        owner: the scorer, for messages.
        judge_range: whether to check the range of the values.

    Raises:
        DataError: it is not a Rendering, or its pictures have another type, shape or range or are not finite.
    """
    if not isinstance(rendering, Rendering):
        hint = ": write ganstrata.Rendering(images)" if isinstance(rendering, Tensor) else ""
        raise DataError(f"{owner} was given {type(rendering).__name__}; it takes a ganstrata.Rendering{hint}")
    if rendering.composed:
        return
    images = rendering.images
    wanted = "floats (N, 3, height, width), RGB, nominally in [0, 1], were expected"
    if not isinstance(images, Tensor):
        raise DataError(f"{owner} was given pictures as {type(images).__name__}; a tensor of {wanted}")
    if not images.is_floating_point():
        hint = "; give images.float().div(255)" if images.dtype == torch.uint8 else ""
        raise DataError(f"{owner} was given pictures of {images.dtype}; {wanted}{hint}")
    if images.ndim != 4 or images.shape[1] != 3:
        last = images.ndim == 4 and images.shape[3] == 3
        hint = "; give images.permute(0, 3, 1, 2)" if last else ""
        raise DataError(f"{owner} was given pictures of shape {tuple(images.shape)}; {wanted}{hint}")
    if not images.numel():
        return
    if not bool(images.detach().isfinite().all()):
        raise DataError(f"{owner} was given pictures that are not finite (NaN or infinity)")
    fault = input_fault(images) if judge_range else ""
    if fault:
        low, high = float(images.min()), float(images.max())
        raise DataError(
            f"{owner} was given pictures that go from {low:.3g} to {high:.3g} and seem to be {fault}; "
            f"{wanted}. If they are right all the same, build the scorer with check=False"
        )
