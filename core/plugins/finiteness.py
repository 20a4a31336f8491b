"""Finds pictures that hold NaN or infinity, and where in the generator that began."""

from __future__ import annotations

import torch
from torch import Tensor

from ..errors import PictureError
from .base import owner_of
from .contracts import Generator
from .records import State

PLACEHOLDER = 0.5  # what every channel of a picture becomes that is not finite: grey


def finite_rows(images: Tensor) -> Tensor | None:
    """Which pictures (N, 3, H, W) are finite, (N,); None if all are.

    >>> finite_rows(torch.zeros(2, 3, 4, 4)) is None
    True
    >>> finite_rows(torch.tensor([0.0, float("nan")])[:, None, None, None].expand(2, 3, 4, 4)).tolist()
    [True, False]
    """
    # A sum is NaN or infinite where one term is; it costs less than a mask, and may overflow by itself.
    if bool(images.detach().sum(dtype=torch.float32).isfinite()):
        return None
    finite = images.isfinite().flatten(1).all(dim=1)
    return None if bool(finite.all()) else finite


def fill_nonfinite(values: Tensor, finite: Tensor, value: float) -> Tensor:
    """The rows of values (N, ...) that are not marked as finite (N,), replaced by one number."""
    mask = finite.view(-1, *[1] * (values.ndim - 1))
    return torch.where(mask, values, torch.full_like(values, value))


def locate_nonfinite(generator: Generator, state: State, codes: Tensor, start: int, row: int) -> str:
    """The step of a pass after which one sample is no longer finite, in words.

    Args:
        generator: whose strata are run again, one by one.
        state: before stratum `start`.
        codes: (N, L, D).
        start: the stratum to begin with.
        row: of the sample.
    """
    if not bool(codes[row].isfinite().all()):
        return "its code is not finite before the first stratum"
    if not _is_finite(state, row, len(codes)):
        return "it began in begin()"
    for s in range(start, len(generator.strata)):
        stratum = generator.strata[s]
        state = generator.stratum(s, state, None if stratum.reads is None else codes[:, stratum.reads])
        if not _is_finite(state, row, len(codes)):
            return f"it began in stratum {s} ('{stratum.name}')"
    return "it began in finish()"


def nonfinite_error(generator: Generator, finite: Tensor, index: Tensor, where: str) -> PictureError:
    """What to raise for a batch with pictures that are not finite.

    Args:
        generator: that made them.
        finite: which are, (N,).
        index: of each sample, (N,).
        where: of the first of them, in words.
    """
    first, lost = first_nonfinite(finite), int((~finite).sum())
    others = f", and those of {lost - 1} more of the {len(finite)} in its batch" if lost > 1 else ""
    return PictureError(
        f"{owner_of(generator)}: the picture of sample {int(index[first])} is not finite (NaN or infinity){others}; {where}. "
        "Where codes were moved, move them less far; else look at the weights, or use precision fp32. In a run, synthesis.allow_nonfinite "
        "lets a share of the samples pass; they are left out of all scores"
    )


def first_nonfinite(finite: Tensor) -> int:
    """The first row that is not finite."""
    return int((~finite).nonzero()[0, 0])


def _is_finite(state: State, row: int, n: int) -> bool:
    tensors = [
        t
        for t in (state.x, state.rgb, *state.kept.values())
        if isinstance(t, Tensor) and t.is_floating_point()
    ]
    return all(bool((t[row] if len(t) == n else t).isfinite().all()) for t in tensors if t.ndim)
