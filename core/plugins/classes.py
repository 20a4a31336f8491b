"""Check what a segmenter returns: a plane of logits for each concept, and labels that are their numbers."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import torch
from torch import Tensor

from ..errors import ScoreError
from ..messages import quantity
from .base import owner_of
from .pending import Fetch, Pending
from .records import Rendering

WHOLE = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)


def checked_logits(method: Callable[[Any, Rendering], Tensor]) -> Callable[[Any, Rendering], Tensor]:
    """Return a segmenter's method that refuses logits which are not (N, M, height, width).

    It raises ScoreError if they are not a tensor or have another shape. M is the number of its concepts.
    """

    @wraps(method)
    def logits(self: Any, rendering: Rendering) -> Tensor:
        returned = method(self, rendering)
        _check_logits(returned, owner_of(self), len(rendering.images), len(self.concepts))
        return returned

    return logits


def _check_logits(logits: object, owner: str, pictures: int, classes: int) -> None:
    """Refuse logits that are not (N, M, height, width), one plane for each of M concepts."""
    if not isinstance(logits, Tensor):
        raise ScoreError(f"{owner} returned logits as {type(logits).__name__}; a torch.Tensor was expected")
    shape = tuple(logits.shape)
    if len(shape) == 4 and shape[0] == pictures and shape[1] != classes:
        raise ScoreError(
            f"{owner} returned logits of shape {shape}, so of {quantity(shape[1], 'class', 'classes')}, and "
            f"declares {quantity(classes, 'concept')}; channel i belongs to concepts[i], so there must be as "
            "many of one as of the other"
        )
    if len(shape) != 4 or shape[0] != pictures:
        raise ScoreError(
            f"{owner} returned logits of shape {shape}; ({pictures}, {classes}, height, width) was expected"
        )


def check_labels(labels: object, owner: str, pictures: int, classes: int) -> None:
    """Refuse labels that are not whole numbers (N, height, width) from 0 to M - 1.

    It waits for an accelerator.

    Raises:
        ScoreError: they have another shape or type, are no tensor, or number no class.
    """
    begin_check_labels(labels, owner, pictures, classes).result()


def begin_check_labels(labels: object, owner: str, pictures: int, classes: int) -> Pending[None]:
    """Refuse labels of another shape or type, and return the check of their numbers without waiting for it.

    Raises:
        ScoreError: as of `check_labels`; the result raises it for a number that is no class.
    """
    if not isinstance(labels, Tensor):
        raise ScoreError(f"{owner} returned labels as {type(labels).__name__}; a torch.Tensor was expected")
    if labels.ndim != 3 or labels.shape[0] != pictures or labels.numel() == 0 or labels.dtype not in WHOLE:
        raise ScoreError(
            f"{owner} returned labels of shape {tuple(labels.shape)} and type "
            f"{labels.dtype}; whole numbers ({pictures}, height, width) were expected"
        )
    ends = Fetch(torch.stack(torch.aminmax(labels)))

    def check() -> None:
        least, most = ends.array().tolist()
        if least < 0 or most >= classes:
            wrong = least if least < 0 else most
            raise ScoreError(
                f"{owner} returned the label {wrong}; it has {classes} classes, one for each of its "
                f"concepts, which are numbered from 0 to {classes - 1}"
            )

    return Pending(check, at_once=ends.at_once)
