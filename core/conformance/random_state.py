"""Global random states of torch, numpy and Python: seeded for a while, or held to stay as they are."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from ..errors import PluginBroken
from ..plugins.process_settings import ProcessSettings

ADVICE = (
    "Take random numbers from a torch.Generator or numpy.random.Generator of its own, seeded by what the call is given, "
    "so that they are the same again and nobody else's change"
)


@contextmanager
def preserved() -> Iterator[None]:
    """Put the global random states back as they were, and the settings of the process."""
    before, surroundings = _states(), ProcessSettings.current()
    try:
        yield
    finally:
        _restore(before)
        surroundings.restore()


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed the global random states, and put them back as they were."""
    with preserved():
        torch.manual_seed(seed)
        np.random.seed(seed % 2**32)  # noqa: NPY002 - what others draw from is the point
        random.seed(seed)
        yield


@contextmanager
def unchanged(owner: str, what: str) -> Iterator[None]:
    """Refuse a plugin that changes a global random state, which is put back as it was.

    Raises:
        PluginBroken: it did.
    """
    before = _states()
    try:
        yield
        changed = [name for name, state in _states().items() if not _same(state, before.get(name))]
    finally:
        _restore(before)
    if changed:
        raise PluginBroken(f"{owner} draws from or seeds {' and '.join(changed)} in {what}. {ADVICE}")


def _states() -> dict[str, Any]:
    states: dict[str, Any] = {
        "torch's global random numbers": torch.get_rng_state(),
        "numpy's global random numbers": np.random.get_state(legacy=False),  # noqa: NPY002
        "Python's global random numbers (`random`)": random.getstate(),
    }
    if torch.cuda.is_available() and torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        states |= {
            f"torch's global random numbers on cuda:{i}": state
            for i, state in enumerate(torch.cuda.get_rng_state_all())
        }
    return states


def _restore(states: dict[str, Any]) -> None:
    for name, state in states.items():
        if name.startswith("numpy"):
            np.random.set_state(state)  # noqa: NPY002
        elif name.startswith("Python"):
            random.setstate(state)
        elif "cuda:" in name:
            torch.cuda.set_rng_state(state, int(name.rpartition(":")[2]))
        else:
            torch.set_rng_state(state)


def _same(a: Any, b: Any) -> bool:
    """Whether two states are one; what was not there before, such as CUDA's, has not changed."""
    if b is None:
        return True
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, np.ndarray):
        return np.array_equal(a, b)
    if isinstance(a, dict):
        return all(_same(value, b[key]) for key, value in a.items())
    return bool(a == b)
