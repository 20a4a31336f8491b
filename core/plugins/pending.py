"""Read results of a device one batch late, so that it never waits for the host, nor the host for it.

On a CPU a result is there when it is asked for, and an error is raised at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar

import torch
from numpy.typing import NDArray
from torch import Tensor

T = TypeVar("T")
K = TypeVar("K")


class Fetch:
    """Copy a tensor to the host without waiting.

    From CUDA it is copied to pinned memory behind the work that makes it; `array` waits for that copy only.

    Args:
        tensor: of any shape, type and device.
    """

    def __init__(self, tensor: Tensor) -> None:
        self.at_once = tensor.device.type == "cpu"
        self._event: torch.cuda.Event | None = None
        if tensor.device.type != "cuda":
            self._host = tensor.to("cpu")
            return
        self._host = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
        self._host.copy_(tensor, non_blocking=True)
        self._event = torch.cuda.Event()  # type: ignore[no-untyped-call]
        self._event.record(torch.cuda.current_stream(tensor.device))

    def array(self) -> NDArray[Any]:
        """Return the values, when they have arrived."""
        if self._event is not None:
            self._event.synchronize()
        return self._host.numpy()


class Pending(Generic[T]):
    """Hold a result whose parts may still be on their way to the host.

    Args:
        finish: makes the result of what was fetched, and checks it.
        at_once: whether all of it is there already: then `finish` is called now, and raises now.
    """

    def __init__(self, finish: Callable[[], T], *, at_once: bool) -> None:
        self._results = [finish()] if at_once else []
        self._finish = None if at_once else finish  # what is done needs none of its tensors
        self.at_once = at_once

    def result(self) -> T:
        """Wait for the parts and return the result.

        Raises:
            GanstrataError: what `finish` raises.
        """
        if self._finish is not None:
            self._results, self._finish = [self._finish()], None
        return self._results[0]


def fetched(tensor: Tensor) -> Pending[NDArray[Any]]:
    """Return the values of a tensor, without waiting for them."""
    fetch = Fetch(tensor)
    return Pending(fetch.array, at_once=fetch.at_once)


def together(parts: Sequence[Pending[T]]) -> Pending[list[T]]:
    """Return the results of several as one, in their order."""
    return Pending(lambda: [part.result() for part in parts], at_once=all(part.at_once for part in parts))


def all_of(checks: Iterable[Pending[None]]) -> Pending[None]:
    """Return several checks as one, which are made in their order.

    >>> all_of([Pending(lambda: None, at_once=True)]).at_once
    True
    """
    parts = list(checks)

    def check() -> None:
        for part in parts:
            part.result()

    return Pending(check, at_once=all(part.at_once for part in parts))


def after(check: Pending[None], result: Pending[T]) -> Pending[T]:
    """Return a result before which a check is made."""

    def checked() -> T:
        check.result()
        return result.result()

    return Pending(checked, at_once=check.at_once and result.at_once)


def written(rows: NDArray[Any], values: Pending[NDArray[Any]]) -> Pending[None]:
    """Return the writing of values into rows of an array."""

    def write() -> None:
        rows[:] = values.result()

    return Pending(write, at_once=values.at_once)


DONE: Pending[None] = all_of(())
"""A check that was made."""


class OneBehind:
    """Make each check when the next one has begun, so that a device has work meanwhile.

    >>> order, checks = [], OneBehind()
    >>> for i in range(2):
    ...     checks.add(Pending(lambda i=i: order.append(i), at_once=False))
    >>> order
    [0]
    >>> checks.end()
    >>> order
    [0, 1]
    """

    def __init__(self) -> None:
        self._last = DONE

    def add(self, check: Pending[None]) -> None:
        """Make the check before this one."""
        before, self._last = self._last, check
        before.result()

    def end(self) -> None:
        """Make the last one."""
        self.add(DONE)


def one_late(begun: Iterable[tuple[K, Pending[T]]]) -> Iterator[tuple[K, T]]:
    """Yield each key with its result after the next one was begun, so that a device has work meanwhile.

    >>> order = []
    >>> def begin(i):
    ...     order.append(f"begin {i}")
    ...     return i, Pending(lambda: order.append(f"end {i}"), at_once=False)
    >>> for key, _ in one_late(begin(i) for i in range(3)):
    ...     pass
    >>> order
    ['begin 0', 'begin 1', 'end 0', 'begin 2', 'end 1', 'end 2']
    """
    waiting: tuple[K, Pending[T]] | None = None
    for following in begun:
        if waiting is not None:
            yield waiting[0], waiting[1].result()
        waiting = following
    if waiting is not None:
        yield waiting[0], waiting[1].result()
