"""Damaged files by the hundred: only CheckpointError may come of them, and no code may run.

The hostile pickle among them leaves a mark if any damage to it makes it run.
"""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ganstrata.core.checkpoints import read_checkpoint
from ganstrata.core.errors import CheckpointError
from safetensors.torch import save_file

KINDS = ("safetensors", "zip", "legacy", "hostile")


class Hostile:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.marker),)


def original(kind: str, folder: Path) -> bytes:
    tensors = {"mapping.fc0.weight": torch.arange(12.0).reshape(3, 4), "b": torch.zeros(5, dtype=torch.float16), "c": torch.tensor(3)}
    path = folder / "original"
    if kind == "safetensors":
        save_file(tensors, path, metadata={"ganstrata": '{"licence": "MIT"}'})
    elif kind == "hostile":
        path.write_bytes(pickle.dumps({"w": Hostile(folder / "it ran"), "list": [1, 2.5, "three"]}, protocol=2))
    else:
        torch.save(tensors, path, _use_new_zipfile_serialization=kind == "zip")
    return path.read_bytes()


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """A few bytes changed, mostly near the beginning where the structure is; or cut; or a piece doubled or lost."""
    data = bytearray(content)
    what = rng.integers(6)
    if what == 0:
        return bytes(data[: rng.integers(len(data))])
    at = int(rng.integers(len(data)))
    length = int(rng.integers(1, 40))
    if what == 1:
        return bytes(data[:at] + data[at + length :])
    if what == 2:
        return bytes(data[:at] + data[at : at + length] * 2 + data[at + length :])
    span = len(data) if what == 3 else min(len(data), 600)
    for _ in range(int(rng.integers(1, 9))):
        i = int(rng.integers(span))
        data[i] = int(rng.integers(256)) if what == 4 else data[i] ^ (1 << int(rng.integers(8)))
    return bytes(data)


def fuzz(kind: str, folder: Path, count: int, seed: int) -> None:
    content = original(kind, folder)
    rng = np.random.default_rng([seed, KINDS.index(kind)])
    path = folder / "damaged"
    refused = read = 0
    for i in range(count):
        path.write_bytes(damaged(content, rng))
        try:
            found = read_checkpoint(path)
        except CheckpointError as error:
            refused += str(path) in str(error)
        except BaseException as error:
            kept = folder / f"case_{i}"
            path.rename(kept)
            raise AssertionError(f"{kept}: {type(error).__name__}: {error}") from error
        else:
            # A bit of a weight may be another one; what is read must still be tensors.
            assert all(isinstance(t, torch.Tensor) for t in found.tensors.values())
            read += 1
        assert not (folder / "it ran").exists()
    assert refused + read == count, "every message names the file"
    assert read == 0 or kind != "hostile"
    assert refused > count / 4, "the damage does not reach what matters"


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_files(tmp_path: Path, kind: str) -> None:
    fuzz(kind, tmp_path, 75, seed=0)


@pytest.mark.full
@pytest.mark.parametrize("kind", KINDS)
def test_many_damaged_files(tmp_path: Path, kind: str) -> None:
    fuzz(kind, tmp_path, 2500, seed=1)
