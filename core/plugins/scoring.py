"""Call scorers and check that their scores, and their side effects, satisfy the contract."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import PluginBroken, ScoreError
from ..shortage import is_out_of_memory
from .base import owner_of
from .failures import one_line
from .pending import Fetch, Pending
from .records import Rendering
from .scorer import Scorer

Scores = NDArray[np.float32]
_INTEGERS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}  # by size in bytes


def checked_scores(scorer: Scorer, rendering: Rendering) -> Scores:
    """Return the scores (N, C) of one scorer; NaN in the rows of pictures that are not finite.

    Raises:
        PictureError: a picture is not finite, and the rendering was to say so late.
        ScoreError: the result is not a tensor, has a wrong shape, is infinite, or is NaN for a concept that
            may not be undefined.
        PluginBroken: the scorer fails, writes into its input, or changes its concepts.
    """
    return begin_scores(scorer, rendering).result()


def begin_scores(scorer: Scorer, rendering: Rendering) -> Pending[Scores]:
    """Score a batch, and return what `checked_scores` returns without waiting for it.

    Raises:
        ScoreError, PluginBroken: as there, if a fault shows without the values; the result raises the rest.
    """
    return _begin(scorer, rendering, scorer.score, "scores", "concepts")


def table_of_scores(scorer: Scorer, rendering: Rendering) -> Scores:
    """Return what `checked_scores` returns, whatever the scorer does to its input.

    Raises:
        PictureError, ScoreError, PluginBroken: as there.
    """
    return _begin(scorer, rendering, scorer.score, "scores", "concepts", watched=False).result()


def checked_extras(scorer: Scorer, rendering: Rendering) -> Scores:
    """Return the extras (N, E) of one scorer; NaN in the rows of pictures that are not finite.

    Raises:
        PictureError: a picture is not finite, and the rendering was to say so late.
        ScoreError: the result is not a tensor, or has a wrong shape.
        PluginBroken: the scorer fails, or writes into its input.
    """
    return begin_extras(scorer, rendering).result()


def begin_extras(scorer: Scorer, rendering: Rendering) -> Pending[Scores]:
    """Compute the extras of a batch, and return what `checked_extras` returns without waiting for it.

    Raises:
        ScoreError, PluginBroken: as there, if a fault shows without the values; the result raises the rest.
    """
    return _begin(scorer, rendering, scorer.extra, "extras", "extras")


def _begin(
    scorer: Scorer,
    rendering: Rendering,
    method: Callable[[Rendering], object],
    what: Literal["scores", "extras"],
    columns: Literal["concepts", "extras"],
    *,
    watched: bool = True,
) -> Pending[Scores]:
    """Call a method of a scorer, begin to fetch what it returns, and check that when it has arrived."""
    before = _contents(rendering) if watched else {}
    try:
        returned = method(rendering)
        expected = (len(rendering.images), len(getattr(scorer, columns)))
        values = _fetched(scorer, returned, what, expected, f"images, {columns}")
    except Exception:
        rendering.settle()  # a scorer may stumble over pictures that are not finite: that is then the error
        raise
    if tuple(scorer.concepts) != scorer.declared:
        raise PluginBroken(
            f"{owner_of(scorer)} has other concepts after a call of score than before; "
            "scores would be stored under wrong names"
        )
    after = _contents(rendering) if watched else {}
    mask = None if rendering.finite is None else Fetch(rendering.finite)

    def finish() -> Scores:
        rendering.settle()
        table = np.array(values.array(), dtype=np.float32)  # (N, C), a copy
        if what == "scores":
            _check_values(scorer, table if mask is None else table[mask.array()])
        _refuse_written(scorer, before, after)
        if mask is not None:
            table[~mask.array()] = np.nan
        return table

    digests = (content.digest for content in (*before.values(), *after.values()))
    parts = [part for part in (values, mask, *digests) if part is not None]
    return Pending(finish, at_once=rendering.settled and all(part.at_once for part in parts))


def _check_values(scorer: Scorer, scores: Scores) -> None:
    """Check the scores (n, C) of finite pictures."""
    for j, concept in enumerate(scorer.concepts):
        column = scores[:, j]
        bad = np.isinf(column) if concept.may_be_undefined else ~np.isfinite(column)
        if bad.any():
            alone = len(column) == 1 and bool(np.isnan(column[0]))
            raise ScoreError(
                f"{owner_of(scorer)} gave {column[bad][0]} as the score of '{concept.name}' "
                f"for {int(bad.sum())} of {len(column)} images; "
                "only concepts declared may_be_undefined may be NaN, and none may be infinite"
                + (". NaN for a single picture: it may use the statistics of the batch" if alone else "")
            )


@contextmanager
def refusing_writes(scorer: Scorer, rendering: Rendering) -> Iterator[None]:
    """Refuse a scorer that writes into the pictures, features or index, which other scorers read too.

    Raises:
        PluginBroken: it did.
    """
    watch = WriteWatch(scorer, rendering)
    yield
    watch.ended().result()


class WriteWatch:
    """Find out whether a scorer writes into what it is given, without waiting for a device.

    Args:
        scorer: the scorer, for messages.
        rendering: what it will be given.
    """

    def __init__(self, scorer: Scorer, rendering: Rendering) -> None:
        self._scorer, self._rendering = scorer, rendering
        self._before = _contents(rendering)

    def ended(self) -> Pending[None]:
        """Return the check, once the scorer was called; its result is PluginBroken if it wrote."""
        scorer, before, after = self._scorer, self._before, _contents(self._rendering)
        at_once = all(one.digest is None or one.digest.at_once for one in (*before.values(), *after.values()))
        return Pending(lambda: _refuse_written(scorer, before, after), at_once=at_once)


def _refuse_written(scorer: Scorer, before: Mapping[str, _Content], after: Mapping[str, _Content]) -> None:
    """Refuse a scorer if what a rendering holds has changed."""
    for what in {**before, **after}:
        old, new = before.get(what), after.get(what)
        if old is None or new is None or old.values() != new.values():
            raise PluginBroken(
                f"{owner_of(scorer)} writes into the {what} that it is given, "
                "which other scorers are given too; make it change a copy (.clone())"
            )


def _fetched(scorer: Scorer, returned: object, what: str, expected: tuple[int, int], axes: str) -> Fetch:
    """Begin to fetch a scorer's result, an array of the expected shape, or raise ScoreError."""
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
        fetch = Fetch(returned.detach().float())
        if fetch.at_once:
            fetch.array()
    except (RuntimeError, TypeError) as error:  # sparse, quantised, or on the device "meta"
        if is_out_of_memory(error):
            raise
        raise ScoreError(
            f"{owner_of(scorer)} returned {what} that cannot be read as an array: {one_line(error)}"
        ) from error
    return fetch


class _Content(NamedTuple):
    """Hold what tells whether a tensor was written to: identity and shape, and sums that are fetched."""

    identity: int
    shape: tuple[int, ...]
    digest: Fetch | None

    def values(self) -> tuple[object, ...]:
        """Return all of it, to be compared."""
        return self.identity, self.shape, None if self.digest is None else tuple(self.digest.array().tolist())


def _contents(rendering: Rendering) -> dict[str, _Content]:
    """Return identity, shape and digest of each tensor of a rendering; a write changes one of them."""
    tensors: dict[str, object] = {
        "images": rendering.images,
        **({} if rendering.pictures is rendering.images else {"pictures": rendering.pictures}),
        **{f"features of stratum {s}": x for s, x in rendering.features.items()},
    }
    tensors |= {"index": rendering.index, "record of which pictures are finite": rendering.finite}
    return {
        what: _Content(id(x), tuple(x.shape), Fetch(_sums(x)))
        if isinstance(x, Tensor)
        else _Content(id(x), (), None)
        for what, x in tensors.items()
    }


def digest(tensor: Tensor) -> tuple[int, ...]:
    """Return sums of a tensor's bits, read as integers that may overflow; those of `_sums`."""
    return tuple(_sums(tensor).tolist())


def _sums(tensor: Tensor) -> Tensor:
    """Return sums of a tensor's bits, read as integers that may overflow, on its device.

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
    return torch.stack(sums)
