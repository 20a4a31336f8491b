"""What a checkpoint file holds: one or more state dicts, with the settings stored beside them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from torch import Tensor


@dataclass(frozen=True)
class Part:
    """One state dict of a file.

    Attributes:
        name: of the entry that holds it, such as `G_ema` or `generator_smooth`; empty for a bare state dict.
        tensors: on the CPU, by the names they are stored under.
        settings: plain values stored with it: constructor arguments, or the JSON of our own header.
    """

    name: str
    tensors: Mapping[str, Tensor]
    settings: Mapping[str, Any]

    @cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of every tensor."""
        return {name: tuple(tensor.shape) for name, tensor in self.tensors.items()}


@dataclass(frozen=True)
class Checkpoint:
    """A file, read: its parts in the order in which a generator looks for itself, the moving average first.

    Attributes:
        path: of the file.
        sha256: of the file.
        container: how it is stored, in words.
        parts: at least one.
    """

    path: Path
    sha256: str
    container: str
    parts: tuple[Part, ...]

    @property
    def tensors(self) -> Mapping[str, Tensor]:
        """Those of the first part."""
        return self.parts[0].tensors

    @property
    def settings(self) -> Mapping[str, Any]:
        """Those of the first part."""
        return self.parts[0].settings


def unreal(tensors: Mapping[str, Tensor]) -> list[str]:
    """Names of tensors with values that are no finite real numbers, with which no network computes.

    >>> import torch
    >>> unreal({"a": torch.ones(2), "b": torch.tensor([1.0, float("nan")]), "c": torch.ones(1, dtype=torch.complex64)})
    ['b', 'c']
    """
    return [name for name, tensor in tensors.items() if tensor.is_complex() or not _is_finite(tensor)]


def _is_finite(tensor: Tensor) -> bool:
    if not tensor.is_floating_point():
        return True
    # Of eight bits torch knows the numbers, but not which of them are finite.
    return bool((tensor.float() if tensor.element_size() == 1 else tensor).isfinite().all())


def digest(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of weights whatever file they come from: names, shapes and values in float32, in order of name.

    >>> import torch
    >>> digest({"a": torch.ones(2)}) == digest({"a": torch.ones(2, dtype=torch.float16)})
    True
    """
    found = hashlib.sha256()
    for name in sorted(tensors):
        values = tensors[name].detach().float().contiguous().numpy()
        found.update(f"{name} {values.shape}\n".encode())
        found.update(values.tobytes())
    return found.hexdigest()
