"""What the reference implementations made of given inputs: in tests/data, and where GANSTRATA_PARITY says."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

DATA = Path(__file__).parent / "data"
PARITY = os.environ.get("GANSTRATA_PARITY")
needs_parity = pytest.mark.skipif(not PARITY, reason="GANSTRATA_PARITY names no folder of reference numbers")

CASES = Path(os.environ.get("GANSTRATA_CASES", "/nowhere"))
needs_cases = pytest.mark.skipif(
    not CASES.is_dir(), reason="GANSTRATA_CASES names no folder of checkpoints and their pictures"
)


@cache
def reference(name: str) -> dict[str, NDArray[np.generic]]:
    """Read all inputs and outputs of one reference network in tests/data."""
    with np.load(DATA / f"{name}.npz") as arrays:
        return dict(arrays)


def tensor(name: str, key: str) -> Tensor:
    """Read one input or output of a reference network in tests/data."""
    return torch.from_numpy(reference(name)[key])


def as_reference(images: Tensor) -> Tensor:
    """Give images in [0, 1] as the networks' own [-1, 1]."""
    return images * 2.0 - 1.0
