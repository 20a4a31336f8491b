"""Call scorers and check that their scores, and their side effects, satisfy the contract."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import PluginBroken, ScoreError
from .base import owner_of
from .contracts import Scorer
from .failures import one_line
from .records import Rendering

_INTEGERS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}  # by size in bytes


def checked_scores(scorer: Scorer, rendering: Rendering) -> NDArray[np.float32]:
    """Return the scores (N, C) of one scorer; NaN in the rows of pictures that are not finite.

    Raises:
        ScoreError: the result is not a tensor, has a wrong shape, is infinite, or is NaN for a concept that
            may not be undefined.
        PluginBroken: the scorer fails, writes into its input, or changes its concepts.
    """
    with refusing_writes(scorer, rendering):
        return table_of_scores(scorer, rendering)


def table_of_scores(scorer: Scorer, rendering: Rendering) -> NDArray[np.float32]:
    """Return what `checked_scores` returns, whatever the scorer does to its input.

    Raises:
        ScoreError, PluginBroken: as there.
    """
    scores = _table(
        scorer,
        scorer.score(rendering),
        "scores",
        (len(rendering.images), len(scorer.concepts)),
        "images, concepts",
    )
    if tuple(scorer.concepts) != scorer.declared:
        raise PluginBroken(
            f"{owner_of(scorer)} has other concepts after a call of score than before; "
            "scores would be stored under wrong names"
        )
    finite = slice(None) if rendering.finite is None else rendering.finite.cpu().numpy()
    for j, concept in enumerate(scorer.concepts):
        column = scores[finite, j]
        bad = np.isinf(column) if concept.may_be_undefined else ~np.isfinite(column)
        if bad.any():
            alone = len(column) == 1 and bool(np.isnan(column[0]))
            raise ScoreError(
                f"{owner_of(scorer)} gave {column[bad][0]} as the score of '{concept.name}' "
                f"for {int(bad.sum())} of {len(column)} images; "
                "only concepts declared may_be_undefined may be NaN, and none may be infinite"
                + (". NaN for a single picture: it may use the statistics of the batch" if alone else "")
            )
    return _masked(scores, rendering)


def checked_extras(scorer: Scorer, rendering: Rendering) -> NDArray[np.float32]:
    """Return the extras (N, E) of one scorer; NaN in the rows of pictures that are not finite.

    Raises:
        ScoreError: the result is not a tensor, or has a wrong shape.
        PluginBroken: the scorer fails, or writes into its input.
    """
    with refusing_writes(scorer, rendering):
        extras = _table(
            scorer,
            scorer.extra(rendering),
            "extras",
            (len(rendering.images), len(scorer.extras)),
            "images, extras",
        )
    return _masked(extras, rendering)


@contextmanager
def refusing_writes(scorer: Scorer, rendering: Rendering) -> Iterator[None]:
    """Refuse a scorer that writes into the pictures, features or index, which other scorers read too.

    Raises:
        PluginBroken: it did.
    """
    before = _contents(rendering)
    yield
    after = _contents(rendering)
    for what in {**before, **after}:
        if after.get(what) != before.get(what):
            raise PluginBroken(
                f"{owner_of(scorer)} writes into the {what} that it is given, "
                "which other scorers are given too; make it change a copy (.clone())"
            )


def _table(
    scorer: Scorer, returned: object, what: str, expected: tuple[int, int], axes: str
) -> NDArray[np.float32]:
    """Return a scorer's result as an array of the expected shape, or raise ScoreError."""
    if not isinstance(returned, Tensor):
        kind = f"{type(returned).__module__}.{type(returned).__name__}".removeprefix("builtins.")
        hint = "; torch.from_numpy makes one" if isinstance(returned, np.ndarray) else ""
        raise ScoreError(f"{owner_of(scorer)} returned {what} as {kind}; a torch.Tensor was expected{hint}")
    if tuple(returned.shape) != expected:
        one = expected[1] == 1 and tuple(returned.shape) == expected[:1]
        raise ScoreError(
            f"{owner_of(scorer)} returned {what} of shape {tuple(returned.shape)}; "
            f"{expected} was expected ({axes})" + (f": return {what}[:, None]" if one else "")
        )
    if returned.is_complex():
        raise ScoreError(f"{owner_of(scorer)} returned complex {what}; real numbers were expected")
    try:
        return np.array(returned.detach().float().cpu().numpy())
    except (RuntimeError, TypeError) as error:  # sparse, quantised, or on the device "meta"
        raise ScoreError(
            f"{owner_of(scorer)} returned {what} that cannot be read as an array: {one_line(error)}"
        ) from error


def _masked(values: NDArray[np.float32], rendering: Rendering) -> NDArray[np.float32]:
    """Set the rows of pictures that are not finite to NaN, in place."""
    if rendering.finite is not None:
        values[~rendering.finite.cpu().numpy()] = np.nan
    return values


def _contents(rendering: Rendering) -> dict[str, tuple[object, ...]]:
    """Return identity, shape and digest of each tensor of a rendering; a write changes one of them."""
    tensors: dict[str, object] = {
        "images": rendering.images,
        **({} if rendering.pictures is rendering.images else {"pictures": rendering.pictures}),
        **{f"features of stratum {s}": x for s, x in rendering.features.items()},
    }
    tensors |= {"index": rendering.index, "record of which pictures are finite": rendering.finite}
    return {
        what: (id(x), tuple(x.shape), digest(x)) if isinstance(x, Tensor) else (id(x),)
        for what, x in tensors.items()
    }


def digest(tensor: Tensor) -> tuple[int, ...]:
    """Return sums of a tensor's bits, read as integers that may overflow.

    The sums are that of all elements and, for each axis, that of the first half, which detects an exchange of
    elements.
    """
    values = tensor.detach()
    if values.element_size() not in _INTEGERS:  # complex numbers of two float64
        values = torch.view_as_real(values)
    strides = values.stride()
    values = values.permute(sorted(range(values.ndim), key=lambda axis: -strides[axis]))  # in memory order
    if values.is_contiguous() and values.ndim > 2:
        values = values.flatten(2)
    size = values.element_size()
    bits = values.view(_INTEGERS[size])
    # Summing int64 is several times faster than summing the same bytes as smaller integers.
    if (
        values.numel()
        and values.ndim
        and values.is_contiguous()
        and values.shape[-1] * size % 8 == 0
        and values.storage_offset() * size % 8 == 0
    ):
        # Axes of one element may have any stride, with which no view of larger numbers is possible.
        bits = bits.view(-1).view(bits.shape).view(torch.int64)
    sums = [bits.sum(dtype=bits.dtype)]
    sums += [
        bits.narrow(axis, 0, (bits.shape[axis] + 1) // 2).sum(dtype=bits.dtype) for axis in range(bits.ndim)
    ]
    return tuple(torch.stack(sums).tolist())
