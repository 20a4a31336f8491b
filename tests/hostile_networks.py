"""Damaged generators of the other libraries' layouts, in every container that holds them.

A network has a few things wrong with its tensors, its settings, what is around it, or the bytes of the file.
Everything comes from one random generator, so that a seed makes the same file again.
"""

from __future__ import annotations

import io
import pickle
import random
import tempfile
from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import hostile_safetensors
import numpy as np
import torch
from checkpoint_files import persistent, write_nvidia
from ganstrata.core.checkpoints import Part
from ganstrata.core.plugins.registry import registry
from hostile_archives import altered
from hostile_states import STATES, State, damaged, is_small, settings_of
from hostile_values import mutated
from torch import Tensor

DTYPES = {
    torch.float32: "F32",
    torch.float64: "F64",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.uint8: "U8",
    torch.bool: "BOOL",
    torch.complex64: "C64",
}
Network = tuple[State, dict[str, Any]]


@cache
def sound(name: str) -> tuple[Network, ...]:
    """A network's tensors and settings as its library stores them, and as `model convert` does."""
    state, settings = STATES[name](), settings_of(name)
    networks: list[Network] = [(state, settings)]
    for info in registry().infos("generator"):
        plugin: Any = info.load()
        if plugin.recognise(Part("", state, {}).shapes, {}) is not None:
            examined = plugin.examine(Part("", state, {}))
            header = {"plugin": info.name, "layout": examined.layout, "network": dict(examined.architecture)}
            networks.append((dict(examined.tensors), header))
    return tuple(networks)


def network(rng: np.random.Generator) -> tuple[State, Any]:
    """Tensors and settings, with a few things wrong."""
    name = list(STATES)[int(rng.integers(len(STATES)))]
    state, settings = sound(name)[int(rng.random() < 0.3)]
    if rng.random() < 0.85:
        state = damaged(rng, state)
    if settings and rng.random() < 0.4:
        settings = mutated(random.Random(int(rng.integers(2**32))), settings)
    elif rng.random() < 0.4:
        settings = {}
    return state, settings


def wrapped(rng: np.random.Generator, state: Mapping[str, Any], settings: Any) -> Any:
    """A state dict in one of the wrappers of training files, or in one that nobody uses."""
    beside = settings if isinstance(settings, dict) else {"settings": settings}
    prefix = ("", "module.", "generator.", "a.b.c.", "synthesis.")[int(rng.integers(5))]
    wrappers: tuple[Callable[[], Any], ...] = (
        lambda: state,
        lambda: OrderedDict(state),
        lambda: {"GAN": state, **beside},
        lambda: {"state_dict": state, **beside},
        lambda: {"g_ema": state, **beside},
        lambda: {"avgG": state, "netG": state, **beside},
        lambda: {"generator": state, "g_running": state, **beside},
        lambda: {"g": state, "args": beside},
        lambda: {prefix + name: tensor for name, tensor in state.items()},
        lambda: {f"D.{name}": tensor for name, tensor in state.items()} | dict(state),
        lambda: {"model": {"model": {"model": {"g_ema": state}}}},
        lambda: [state, beside],
        lambda: (None, {"g_ema": state}),
        lambda: {"emas": [state, state], "stds": [0.1], **beside},
        lambda: {"g_ema": list(state.values()), **beside},
        lambda: {"g_ema": list(state.items())},
        lambda: {"g_ema": None, "G": state, 7: 8, **beside},
        lambda: {"g_ema": dict(state) | {"epoch": 7, "name": "x", "none": None, "more": {"a": [1]}}},
        lambda: dict(state) | beside,
    )
    return wrappers[0 if rng.random() < 0.3 else int(rng.integers(len(wrappers)))]()


def torch_file(rng: np.random.Generator, state: State, settings: Any, *, archive: bool) -> bytes:
    """A file of torch.save."""
    content: dict[str, Any] = dict(state)
    if rng.random() < 0.1:
        content = {
            name: torch.nn.Parameter(t, requires_grad=t.is_floating_point()) for name, t in state.items()
        }
    file = io.BytesIO()
    torch.save(wrapped(rng, content, settings), file, _use_new_zipfile_serialization=archive)
    return file.getvalue()


def safetensors(rng: np.random.Generator, state: State, settings: Any) -> bytes:
    """A file of safetensors; tensors that would be huge have no numbers."""
    return hostile_safetensors.safetensors(
        rng,
        {
            name: (
                DTYPES[t.dtype],
                list(t.shape),
                t.contiguous().view(-1).view(torch.uint8).numpy().tobytes(),
            )
            for name, t in _in_memory(state).items()
        },
        settings,
    )


def plain_pickle(rng: np.random.Generator, state: State, settings: Any) -> bytes:
    """A network of NVIDIA's persistence, or arrays of NumPy."""
    state = _in_memory(state)
    protocol = int(rng.integers(2, 6))
    if rng.random() < 0.5 or not all(_fits(name, state) for name in state):
        arrays = {name: t.float().numpy() for name, t in state.items() if not t.is_complex()}
        return pickle.dumps(wrapped(rng, arrays, settings), protocol)
    kwargs = settings if isinstance(settings, dict) else {"settings": settings}
    content = {"G_ema": persistent(state, kwargs), "D": None, **({} if rng.integers(2) else kwargs)}
    with tempfile.TemporaryDirectory() as folder:
        return write_nvidia(Path(folder) / "a", content, protocol).read_bytes()


def _in_memory(state: State) -> dict[str, Tensor]:
    return {name: t if is_small(t) else t.new_zeros(0, t.shape[-1]) for name, t in state.items()}


def _fits(name: str, state: State) -> bool:
    """Whether modules can hold a tensor of this name."""
    beginnings = {".".join(name.split(".")[:end]) for end in range(1, name.count(".") + 1)}
    return all(part.isalnum() for part in name.replace("_", "").split(".")) and not beginnings & set(state)


KINDS: dict[str, tuple[Callable[[np.random.Generator, State, Any], bytes], float]] = {
    "torch zip": (lambda rng, state, settings: torch_file(rng, state, settings, archive=True), 3),
    "torch legacy": (lambda rng, state, settings: torch_file(rng, state, settings, archive=False), 1),
    "safetensors": (safetensors, 4),
    "pickle": (plain_pickle, 2),
}


def damaged_network(seed: int, number: int) -> tuple[str, str, bytes]:
    """The kind of a file, how its name ends, and what it holds."""
    rng = np.random.default_rng([seed, number])
    weights = np.array([weight for _, weight in KINDS.values()])
    kind = list(KINDS)[int(rng.choice(len(KINDS), p=weights / weights.sum()))]
    state, settings = network(rng)
    content = KINDS[kind][0](rng, state, settings)
    if rng.random() < 0.1:
        content = altered(content, rng)
    return kind, ".network", content
