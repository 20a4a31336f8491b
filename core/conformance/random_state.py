"""Seed, restore and watch the global random states of torch, numpy and Python."""

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
    "Draw random numbers from a torch.Generator or numpy.random.Generator of the plugin's own, seeded from "
    "the arguments of the call: then they can be repeated, and those of others do not change"
)


@contextmanager
def preserved() -> Iterator[None]:
    """Restore the global random states and the settings of the process after the block."""
    states, settings = _states(), ProcessSettings.current()
    try:
        yield
    finally:
        _restore(states)
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
    """Return whether two states are equal; True if there was none before, as of CUDA before its first use."""
    if b is None:
        return True
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, np.ndarray):
        return np.array_equal(a, b)
    if isinstance(a, dict):
        return all(_same(value, b[key]) for key, value in a.items())
    return bool(a == b)
