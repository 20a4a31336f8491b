"""Turn a generator's pictures of 1, 3 or 4 channels into the RGB that scorers read."""

from __future__ import annotations

import re
from typing import Any, TypeVar

from numpy.typing import NDArray
from torch import Tensor

A = TypeVar("A", Tensor, NDArray[Any])
CHANNELS = (1, 3, 4)
"""Numbers of channels that pictures may have: grey, RGB, RGB with alpha."""


def is_colour(text: object) -> bool:
    """Return whether a value is a colour as "#rrggbb".

    >>> is_colour("#ff8000"), is_colour("white")
    (True, False)
    """
    return isinstance(text, str) and re.fullmatch(r"#[0-9a-fA-F]{6}", text) is not None


def values_of(colour: str) -> tuple[float, float, float]:
    """Return a colour "#rrggbb" as red, green and blue in [0, 1].

    >>> values_of("#ff0033")
    (1.0, 0.0, 0.2)
    """
    red, green, blue = (int(colour[i : i + 2], 16) / 255.0 for i in (1, 3, 5))
    return red, green, blue


def to_rgb(pictures: Tensor, background: str) -> Tensor:
    """Return pictures (N, C, H, W) as RGB (N, 3, H, W); RGB is returned as it is.

    - Grey (C = 1) is repeated in the three channels.
    - RGB with alpha (C = 4) is composited on a colour b: b + a (x - b), with x the colour, which is not
      multiplied by alpha, and a the alpha clamped to [0, 1]. x is not clamped.

    Source: Porter and Duff 1984, "Compositing Digital Images", operator *over* on an opaque ground.

    Args:
        pictures: nominally in [0, 1].
        background: b as "#rrggbb"; read only with alpha.

    >>> import torch
    >>> to_rgb(torch.tensor([1.0, 0.0, 0.0, 0.5]).view(1, 4, 1, 1), "#ffffff").flatten().tolist()
    [1.0, 0.5, 0.5]
    """
    channels = pictures.shape[1]
    if channels == 3:
        return pictures
    if channels == 1:
        return pictures.expand(-1, 3, -1, -1)
    ground = pictures.new_tensor(values_of(background)).view(1, 3, 1, 1)
    colour, alpha = pictures[:, :3], pictures[:, 3:].clamp(0.0, 1.0)
    return over(colour, alpha, ground)  # (N, 3, H, W)


def over(colour: A, alpha: A, ground: A) -> A:
    """Composite a colour x with alpha a on an opaque ground b: b + a (x - b), for tensors or arrays.

    Args:
        colour: x, not multiplied by alpha; all three have shapes that broadcast.
        alpha: a in [0, 1].
        ground: b, in the range of x.

    >>> import numpy as np
    >>> over(np.array([255.0, 0.0]), np.array(0.2), np.array(255.0)).tolist()
    [255.0, 204.0]
    """
    composited: A = ground + alpha * (colour - ground)
    return composited
