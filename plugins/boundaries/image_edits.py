"""Edit pictures by simple rules, and say at which pixels the rule defines the edited picture.

Every edit takes amounts a (n,), of which 0 changes nothing and 1 is the most that is asked of a walk.
Pixels that an edit would take from outside of the picture, or would make darker than black or brighter than
white, are not defined. Source: Jahanian, Chai and Isola, "On the 'steerability' of generative adversarial
networks", ICLR 2020.

Shapes: n pictures (n, 3, H, W) in [0, 1].
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from ...core.device import sent

EditName = Literal["zoom", "shift_x", "shift_y", "rotate", "brightness", "red", "green", "blue"]
EDITS: tuple[EditName, ...] = get_args(EditName)

ZOOM = 2.0  # magnification at an amount of 1
SHIFT = 0.25  # part of the picture's side
TURN = torch.pi / 6.0  # 30 degrees
BRIGHTER = 0.25  # of the range from black to white
WHOLE = 0.999  # a pixel is defined if it is made of pixels of the picture to this share


class Edited(NamedTuple):
    """Hold edited pictures and where they are defined.

    Attributes:
        images: (n, 3, H, W).
        defined: (n, 3, H, W), 1 where the edit defines the picture and 0 elsewhere.
    """

    images: Tensor
    defined: Tensor


Edit = Callable[[Tensor, Tensor], Edited]


def edited(images: Tensor, name: EditName, amounts: Tensor) -> Edited:
    """Edit pictures (n, 3, H, W) by amounts (n,).

    >>> white = torch.full((1, 3, 2, 2), 0.5)
    >>> result = edited(white, "red", torch.tensor([1.0]))
    >>> result.images[0, :, 0, 0].tolist(), int(result.defined.min())
    ([0.75, 0.5, 0.5], 1)
    """
    return _EDITS[name](images, amounts)


def _warped(images: Tensor, matrix: Tensor) -> Edited:
    """Take each pixel from the place to which a matrix (n, 2, 3) sends it.

    Coordinates are x to the right and y down, in halves of the height from the centre, so that turning keeps
    shapes whatever the proportions of the picture.
    """
    n, _, height, width = images.shape
    aspect = width / height
    plain = sent(torch.tensor([[aspect, 0.0, 0.0], [0.0, 1.0, 0.0]], dtype=matrix.dtype), matrix.device)
    grid = F.affine_grid(plain.expand(n, 2, 3), [n, 3, height, width], False)  # (n, H, W, 2)
    ones = torch.ones_like(grid[..., :1])
    places = torch.einsum("nij,nhwj->nhwi", matrix, torch.cat([grid, ones], dim=3))
    places = places / sent(torch.tensor([aspect, 1.0], dtype=places.dtype), places.device)
    sources = torch.cat([images, torch.ones_like(images[:, :1])], dim=1)
    taken = F.grid_sample(sources, places, mode="bilinear", padding_mode="zeros", align_corners=False)
    return Edited(taken[:, :3], (taken[:, 3:] >= WHOLE).to(images).expand(-1, 3, -1, -1))


def _matrix(rows: tuple[tuple[Tensor, ...], tuple[Tensor, ...]]) -> Tensor:
    return torch.stack([torch.stack(row, dim=1) for row in rows], dim=1)


def _zoom(images: Tensor, amounts: Tensor) -> Edited:
    """Magnify 2^a times about the centre."""
    shrink, zero = ZOOM**-amounts, torch.zeros_like(amounts)
    return _warped(images, _matrix(((shrink, zero, zero), (zero, shrink, zero))))


def _shift_x(images: Tensor, amounts: Tensor) -> Edited:
    """Shift to the right by a quarter of the width times a."""
    one, zero = torch.ones_like(amounts), torch.zeros_like(amounts)
    aspect = images.shape[3] / images.shape[2]
    return _warped(images, _matrix(((one, zero, -2.0 * SHIFT * aspect * amounts), (zero, one, zero))))


def _shift_y(images: Tensor, amounts: Tensor) -> Edited:
    """Shift downwards by a quarter of the height times a."""
    one, zero = torch.ones_like(amounts), torch.zeros_like(amounts)
    return _warped(images, _matrix(((one, zero, zero), (zero, one, -2.0 * SHIFT * amounts))))


def _rotate(images: Tensor, amounts: Tensor) -> Edited:
    """Turn clockwise about the centre by 30 degrees times a."""
    cos, sin = torch.cos(TURN * amounts), torch.sin(TURN * amounts)
    zero = torch.zeros_like(amounts)
    return _warped(images, _matrix(((cos, sin, zero), (-sin, cos, zero))))


def _brighter(images: Tensor, amounts: Tensor, channels: tuple[float, float, float]) -> Edited:
    """Add a quarter times a to some channels, where the result stays between black and white."""
    added = sent(torch.tensor(channels, dtype=images.dtype), images.device)
    change = BRIGHTER * amounts[:, None] * added  # (n, 3)
    result = images + change[:, :, None, None]
    return Edited(result, ((result >= 0.0) & (result <= 1.0)).to(images))


def _adding(*channels: float) -> Edit:
    red, green, blue = channels
    return lambda images, amounts: _brighter(images, amounts, (red, green, blue))


_EDITS: Mapping[EditName, Edit] = {
    "zoom": _zoom,
    "shift_x": _shift_x,
    "shift_y": _shift_y,
    "rotate": _rotate,
    "brightness": _adding(1.0, 1.0, 1.0),
    "red": _adding(1.0, 0.0, 0.0),
    "green": _adding(0.0, 1.0, 0.0),
    "blue": _adding(0.0, 0.0, 1.0),
}
