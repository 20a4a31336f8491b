"""Build networks whose tensors have shapes but no memory, to compare a file with them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch.overrides import TorchFunctionMode


class _Unfilled(TorchFunctionMode):
    """Leave tensors empty that would be filled with random numbers or ones.

    On the meta device torch computes `randn`, `rand` and `eye` by code of its own in Python, whose imports
    take a second; and `normal` does not heed the device of the context, so that it would allocate memory.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        options = dict(kwargs or {})
        if func in (torch.randn, torch.rand):
            size = args
        elif func is torch.eye and args:
            size = (args[0], args[-1])
        elif func is torch.normal and (len(args) == 3 or "size" in options):
            size = tuple(options["size"] if "size" in options else args[2])
        else:
            return func(*args, **options)
        return torch.empty(*size, **{key: options[key] for key in options.keys() & {"dtype", "device"}})


@contextmanager
def shapes_only() -> Iterator[None]:
    """Make networks that are built inside occupy no memory, whatever sizes a file states.

    Their tensors are on the meta device. torch's warnings about sizes of 0 are ignored.

    >>> with shapes_only():
    ...     layer = torch.nn.Linear(2**20, 2**20)
    >>> layer.weight.device.type
    'meta'
    """
    with warnings.catch_warnings(action="ignore"), torch.device("meta"), _Unfilled():
        yield
