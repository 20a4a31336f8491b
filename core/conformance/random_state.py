"""Seed, restore and watch the global random states of torch, numpy and Python."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ..errors import PluginBroken
from ..plugins.process_settings import ProcessSettings

ADVICE = (
    "Draw random numbers from a torch.Generator or numpy.random.Generator of the plugin's own, seeded from "
    "the arguments of the call: then they can be repeated, and those of others do not change"
)


@contextmanager
def preserved() -> Iterator[None]:
    """Restore the global random states and the settings of the process after the block."""
    states, settings = RandomStates.current(), ProcessSettings.current()
    try:
        yield
    finally:
        states.restore()
        settings.restore()


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed the global random states for the block, and restore them and the process settings after it."""
    with preserved():
        torch.manual_seed(seed)
        np.random.seed(seed % 2**32)  # noqa: NPY002 - third-party code draws from the global state
        random.seed(seed)
        yield


@contextmanager
def unchanged(owner: str, what: str) -> Iterator[None]:
    """Refuse a plugin that changes a global random state in the block, and restore the states.

    Args:
        owner: the plugin, for messages.
        what: what it does in the block, for messages.

    Raises:
        PluginBroken: it did.
    """
    before = RandomStates.current()
    try:
        yield
        changed = RandomStates.current().changed_since(before)
    finally:
        before.restore()
    if changed:
        raise PluginBroken(f"{owner} draws from or seeds {' and '.join(changed)} in {what}. {ADVICE}")


@dataclass(frozen=True)
class RandomStates:
    """Hold the global random states.

    Attributes:
        torch_cpu, torch_cuda: of torch, on the processor and on each CUDA device; none before the first use
            of CUDA.
        numpy_legacy: of functions such as numpy.random.normal.
        python: of the module `random`.
    """

    torch_cpu: torch.Tensor
    torch_cuda: tuple[torch.Tensor, ...]
    numpy_legacy: dict[str, Any]
    python: tuple[Any, ...]

    @classmethod
    def current(cls) -> RandomStates:
        """Return the present states."""
        is_cuda_used = (
            torch.cuda.is_available() and torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
        )
        return cls(
            torch_cpu=torch.get_rng_state(),
            torch_cuda=tuple(torch.cuda.get_rng_state_all()) if is_cuda_used else (),
            numpy_legacy=np.random.get_state(legacy=False),  # noqa: NPY002
            python=random.getstate(),
        )

    def restore(self) -> None:
        """Set the global random states to these."""
        torch.set_rng_state(self.torch_cpu)
        for i, state in enumerate(self.torch_cuda):
            torch.cuda.set_rng_state(state, i)
        np.random.set_state(self.numpy_legacy)  # noqa: NPY002
        random.setstate(self.python)

    def changed_since(self, before: RandomStates) -> list[str]:
        """Name the states that were others before, in words for a message."""
        pairs = {
            "torch's global random numbers": (self.torch_cpu, before.torch_cpu),
            "numpy's global random numbers": (self.numpy_legacy, before.numpy_legacy),
            "Python's global random numbers (`random`)": (self.python, before.python),
        }
        pairs |= {
            f"torch's global random numbers on cuda:{i}": states
            for i, states in enumerate(zip(self.torch_cuda, before.torch_cuda, strict=False))
        }
        return [name for name, (after, earlier) in pairs.items() if not _same(after, earlier)]


def _same(a: Any, b: Any) -> bool:
    """Return whether two states are equal."""
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, np.ndarray):
        return np.array_equal(a, b)
    if isinstance(a, dict):
        return all(_same(value, b[key]) for key, value in a.items())
    return bool(a == b)
