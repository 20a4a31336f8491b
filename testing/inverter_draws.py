"""Watch whether an inverter draws random numbers of its own, besides the noise of the pictures it makes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch.overrides import TorchFunctionMode

from ..core.plugins.inverter import Inversion, InversionTask, Render
from ..core.plugins.records import Rendering

TORCH = frozenset(
    f"{name}{ending}"
    for name in ("rand", "randn", "randint", "normal", "uniform", "random", "bernoulli", "exponential")
    for ending in ("", "_", "_like")
) | {"randperm", "multinomial"}
"""Names of torch's functions that draw."""
NUMPY = ("default_rng", "Philox", "PCG64")  # what a source of random numbers begins with


@dataclass
class Draws:
    """Count draws of random numbers; `rendering` while a picture is made, whose noise is not one of them."""

    count: int = 0
    rendering: bool = False

    def met(self) -> None:
        """Count one, unless a picture is being made."""
        self.count += not self.rendering


@contextmanager
def watched(task: InversionTask) -> Iterator[tuple[InversionTask, Draws]]:
    """Yield the task with its render watched, and what is drawn inside the block."""
    draws = Draws()
    with ExitStack() as stack:
        for name in NUMPY:
            source = _counted(getattr(np.random, name), draws)
            stack.enter_context(mock.patch.object(np.random, name, source))
        stack.enter_context(_Torch(draws))
        yield replace(task, render=_Watched(task.render, draws)), draws


def _counted(source: Callable[..., Any], draws: Draws) -> Callable[..., Any]:
    def begin(*given: Any, **named: Any) -> Any:
        draws.met()
        return source(*given, **named)

    return begin


class _Torch(TorchFunctionMode):
    """Count calls of torch's functions that draw."""

    def __init__(self, draws: Draws) -> None:
        super().__init__()
        self.draws = draws

    def __torch_function__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Count it if it draws, and call it."""
        if getattr(func, "__name__", "") in TORCH:
            self.draws.met()
        return func(*args, **(kwargs or {}))


@dataclass(frozen=True)
class _Watched:
    """Make pictures, and say so meanwhile."""

    render: Render
    draws: Draws

    def __call__(self, inversion: Inversion, rows: Sequence[int] | None = None) -> Rendering:
        """Return the rendering."""
        self.draws.rendering = True
        try:
            return self.render(inversion, rows)
        finally:
            self.draws.rendering = False


def same(a: Inversion, b: Inversion) -> bool:
    """Return whether two inversions hold the same numbers, to the last bit."""
    one, other = _tensors(a), _tensors(b)
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def _tensors(inversion: Inversion) -> dict[str, torch.Tensor]:
    named = {"codes": inversion.codes, "latent": inversion.latent, "condition": inversion.condition}
    named |= {f"noise {s}": x for s, x in inversion.noise.items()}
    named |= {f"{i} {name}": x for i, each in enumerate(inversion.weights) for name, x in each.items()}
    if inversion.mixture is not None:
        named |= {"several": inversion.mixture.codes, "weights": inversion.mixture.weights}
    return {name: x for name, x in named.items() if x is not None}
