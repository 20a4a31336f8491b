"""Find pictures that contain NaN or infinity, and the step of the generator where it began."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ..errors import PictureError
from .base import owner_of
from .generator import Generator
from .pending import Fetch, Pending, all_of
from .records import Rendering, State

PLACEHOLDER = 0.5  # grey: the value of all channels of a picture that replaces a non-finite one


def finite_rows(images: Tensor) -> Tensor | None:
    """Return which pictures (N, 3, H, W) are finite, as a mask (N,); None if all are.

    >>> finite_rows(torch.zeros(2, 3, 4, 4)) is None
    True
    >>> finite_rows(torch.tensor([0.0, float("nan")])[:, None, None, None].expand(2, 3, 4, 4)).tolist()
    [True, False]
    """
    # The sum is not finite if any term is not. It is cheaper than a mask, but may also overflow by itself.
    if bool(_total(images).isfinite()):
        return None
    finite = rows_that_are_finite(images)
    return None if bool(finite.all()) else finite


def rows_that_are_finite(images: Tensor) -> Tensor:
    """Return which pictures (N, 3, H, W) are finite, as a mask (N,) on their device."""
    return images.isfinite().flatten(1).all(dim=1)


def _total(images: Tensor) -> Tensor:
    """Return the sum of all values in float32, ()."""
    return images.detach().sum(dtype=torch.float32)


class Doubt:
    """Begin to find out whether pictures (N, 3, H, W) are finite, and refuse them when it is known.

    Args:
        images: the pictures, on any device, which is not waited for.
        refuse: called if they may not be finite; it raises if a picture really is not.
    """

    def __init__(self, images: Tensor, refuse: Callable[[], None]) -> None:
        self._total, self._refuse = Fetch(_total(images)), refuse

    def __call__(self) -> None:
        """Wait, and refuse the pictures if the sum of their values is not finite."""
        if not np.isfinite(self._total.array()).all():
            self._refuse()


class Doubts:
    """Collect renderings of which it is not known yet whether their pictures are finite."""

    def __init__(self) -> None:
        self._settles: list[Callable[[], None]] = []

    def add(self, rendering: Rendering) -> None:
        """Take a rendering that was made late."""
        if not rendering.settled:
            self._settles.append(rendering.settle)

    def check(self) -> Pending[None]:
        """Return the check of all that were added since the last call; its result may be a PictureError."""
        settles, self._settles = self._settles, []
        return all_of([Pending(settle, at_once=False) for settle in settles])


def fill_nonfinite(values: Tensor, finite: Tensor, value: float) -> Tensor:
    """Return values (N, ...) in which the rows not marked as finite (N,) are replaced by one number."""
    mask = finite.view(-1, *[1] * (values.ndim - 1))
    return torch.where(mask, values, torch.full_like(values, value))


def locate_nonfinite(generator: Generator, state: State, codes: Tensor, start: int, row: int) -> str:
    """Describe the step of a pass after which one sample is no longer finite.

    Args:
        generator: the generator; its strata are run again, one by one.
        state: the state before stratum `start`.
        codes: codes (N, L, D).
        start: the first stratum to run.
        row: the row of the sample.
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
    """Return the error to raise for a batch with pictures that are not finite.

    Args:
        generator: the generator that made the pictures.
        finite: which pictures are finite, (N,).
        index: the index of each sample, (N,).
        where: where the first of them lost its finiteness, in words.
    """
    first, count = first_nonfinite(finite), int((~finite).sum())
    others = f", nor are those of {count - 1} more of the {len(finite)} in its batch" if count > 1 else ""
    return PictureError(
        f"{owner_of(generator)}: the picture of sample {int(index[first])} is not finite (NaN or infinity)"
        f"{others}; {where}. If codes were moved, move them less far; otherwise check the weights, or use "
        "precision fp32. In a run, synthesis.allow_nonfinite lets a share of the samples pass; they are left "
        "out of all scores"
    )


def first_nonfinite(finite: Tensor) -> int:
    """Return the first row that is not finite."""
    return int((~finite).nonzero()[0, 0])


def _is_finite(state: State, row: int, n: int) -> bool:
    """Return whether a state of n samples is finite in one row."""
    tensors = [
        t
        for t in (state.x, state.rgb, *state.kept.values())
        if isinstance(t, Tensor) and t.is_floating_point()
    ]
    return all(bool((t[row] if len(t) == n else t).isfinite().all()) for t in tensors if t.ndim)
