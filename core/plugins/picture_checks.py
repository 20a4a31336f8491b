"""Judges whether pictures are what the core and scorers take them for: floats (N, 3, H, W), finite, nominally in [0, 1].

"Nominally" leaves room: pictures of edited codes go beyond 0 and 1, and are not clamped. A range is
therefore judged by shares of values, not by the lowest and the highest. Judged so, a set of pictures may
be of another range without being noticed: bright pictures in [-1, 1] look like pictures in [0, 1].
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..errors import DataError
from .records import Rendering

FLOATS = (torch.float32, torch.float16, torch.bfloat16)

BEYOND, SHARE = (
    0.25,
    0.05,
)  # generators: more than this share of values further out than this part of the range
BLACK = 0.02  # generators: nothing brighter than this part of the range
FAR_BELOW, FAR_ABOVE, GIVEN_SHARE = -0.25, 2.0, 0.1  # scorers: this share of values beyond one of these
BYTES = 10.0  # scorers: what some value of pictures in [0, 255] exceeds, and no value of edited pictures does


def range_fault(images: Tensor, low: float = 0.0, high: float = 1.0) -> str:
    """What speaks against a generator's unedited pictures having a range; empty if nothing does.

    Args:
        images: (N, C, H, W), finite.
        low: of black.
        high: of full colour.

    >>> range_fault(torch.rand(2, 3, 8, 8))
    ''
    >>> range_fault(torch.tensor([-1.0, -0.5, 0.5, 1.0]).view(1, 1, 2, 2))
    'go from -1.00 to 1.00'
    """
    x, width = images.detach().float(), high - low
    seen = f"go from {float(x.min()):.2f} to {float(x.max()):.2f}"
    if float(((x < low - BEYOND * width) | (x > high + BEYOND * width)).float().mean()) > SHARE:
        return seen
    if float(x.max()) < low + BLACK * width:
        return f"{seen}: nothing is brighter than black"
    if low < 0.0 and float(x.min()) >= (low + high) / 2.0:
        return f"{seen}: nothing is darker than the middle"
    return ""


def input_fault(images: Tensor) -> str:
    """What a scorer's pictures (N, 3, H, W) look like if not like pictures in [0, 1], with the cure; empty if they do.

    Pictures count as [0, 255] if a tenth of their values lies above 2 and one above 10, or all are whole
    numbers; as [-1, 1] if a tenth lies below -0.25 and hardly any outside of [-1.1, 1.1].

    >>> input_fault(torch.linspace(-0.2, 1.2, 192).view(1, 3, 8, 8))
    ''
    >>> input_fault(torch.linspace(-1.0, 1.0, 192).view(1, 3, 8, 8))
    'in [-1, 1]; give images.add(1).div(2)'
    """
    x = images.detach().float()
    highest = float(x.max())
    large = highest > BYTES and float((x > FAR_ABOVE).float().mean()) >= GIVEN_SHARE
    if large or (highest > FAR_ABOVE and bool((x == x.round()).all())):
        return "in [0, 255]; give images.div(255)"
    dark = float((x < FAR_BELOW).float().mean()) >= GIVEN_SHARE
    if dark and float((x.abs() > 1.1).float().mean()) <= 0.01:
        return "in [-1, 1]; give images.add(1).div(2)"
    return ""


def check_rendering(rendering: object, owner: str, *, judge_range: bool) -> None:
    """Refuse what a scorer cannot score.

    Args:
        rendering: what its method was called with.
        owner: the scorer in words.
        judge_range: whether to look at the values' range.

    Raises:
        DataError: no Rendering, or its pictures are of another type, shape or range, or not finite.
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
        raise DataError(f"{owner} was given pictures of shape {tuple(images.shape)}; {wanted}")
    if not images.numel():
        return
    if not bool(images.detach().isfinite().all()):
        raise DataError(f"{owner} was given pictures that are not finite (NaN or infinity)")
    fault = input_fault(images) if judge_range else ""
    if fault:
        low, high = float(images.min()), float(images.max())
        raise DataError(
            f"{owner} was given pictures that go from {low:.3g} to {high:.3g} and seem to be {fault}; {wanted}. "
            "Where they are right all the same, build the scorer with check=False"
        )
