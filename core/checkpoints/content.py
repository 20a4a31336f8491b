"""Represent the content of a checkpoint file: one or more state dicts and the settings stored with them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from torch import Tensor


@dataclass(frozen=True)
class Part:
    """Hold one state dict of a file.

    Attributes:
        name: name of its entry in the file, such as `G_ema`; empty for a bare state dict.
        tensors: tensors on the CPU, by their stored names.
        settings: plain values stored with it: constructor arguments, or the JSON of ganstrata's own header.
        notes: sentences on what the reader did to it, such as a prefix that it stripped from all names.
        beside: plain values that the file stores beside a pickled network, which has settings of its own.
    """

    name: str
    tensors: Mapping[str, Tensor]
    settings: Mapping[str, Any]
    notes: tuple[str, ...] = ()
    beside: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of each tensor, by name."""
        return {name: tuple(tensor.shape) for name, tensor in self.tensors.items()}


@dataclass(frozen=True)
class Checkpoint:
    """Hold the content of a checkpoint file.

    Attributes:
        path: path of the file.
        sha256: SHA-256 of the file, in hex.
        container: storage format, in words.
        parts: the state dicts, at least one, in the order in which generator plugins are offered them:
            moving averages first.
        notes: sentences on what the reader left out of the file.
    """

    path: Path
    sha256: str
    container: str
    parts: tuple[Part, ...]
    notes: tuple[str, ...] = ()

    @property
    def tensors(self) -> Mapping[str, Tensor]:
        """Tensors of the first part."""
        return self.parts[0].tensors

    @property
    def settings(self) -> Mapping[str, Any]:
        """Settings of the first part."""
        return self.parts[0].settings


def unreal(tensors: Mapping[str, Tensor]) -> list[str]:
    """Return the names of tensors that are complex or have a NaN or an infinite value.

    >>> import torch
    >>> unreal({"a": torch.ones(2), "b": torch.tensor([1.0, float("nan")])})
    ['b']
    >>> unreal({"c": torch.ones(1, dtype=torch.complex64)})
    ['c']
    """
    return [name for name, tensor in tensors.items() if tensor.is_complex() or not _is_finite(tensor)]


def _is_finite(tensor: Tensor) -> bool:
    if not tensor.is_floating_point():
        return True
    # torch has no isfinite() for the eight-bit floating-point types.
    return bool((tensor.float() if tensor.element_size() == 1 else tensor).isfinite().all())


def digest(tensors: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 of weights, in hex, independent of the file they come from.

    The digest covers the name, shape and float32 values of each tensor, in order of name.

    >>> import torch
    >>> digest({"a": torch.ones(2)}) == digest({"a": torch.ones(2, dtype=torch.float16)})
    True
    """
    sha256 = hashlib.sha256()
    for name in sorted(tensors):
        values = tensors[name].detach().float().contiguous().numpy()
        sha256.update(f"{name} {values.shape}\n".encode())
        sha256.update(values.tobytes())
    return sha256.hexdigest()
