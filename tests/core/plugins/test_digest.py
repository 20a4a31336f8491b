"""The digest by which writes into a tensor are found takes tensors in any memory, and sees every change."""

from __future__ import annotations

import random

import pytest
import torch
from ganstrata.core.plugins.scoring import digest
from torch import Tensor

TYPES = (
    torch.float32,
    torch.float16,
    torch.bfloat16,
    torch.float64,
    torch.int64,
    torch.uint8,
    torch.bool,
    torch.complex64,
)


def strange(dtype: torch.dtype, numbers: random.Random) -> Tensor:
    """A tensor of up to five axes: turned, repeated, sliced, without elements, with single elements."""
    shape = [numbers.choice([0, 1, 1, 2, 3, 4, 8]) for _ in range(numbers.randint(0, 4))]
    tensor = torch.ones(shape, dtype=dtype)
    if tensor.ndim and numbers.random() < 0.5:
        tensor = tensor.permute(*numbers.sample(range(tensor.ndim), tensor.ndim))
    if tensor.ndim and tensor.shape[0] == 1 and numbers.random() < 0.5:
        tensor = tensor.expand(4, *[-1] * (tensor.ndim - 1))
    if tensor.ndim and numbers.random() < 0.3:
        tensor = tensor[..., ::2]
    if numbers.random() < 0.3:
        tensor = tensor.expand(numbers.choice([1, 2]), *tensor.shape)
    return tensor[1:] if tensor.ndim and tensor.shape[0] > 1 and numbers.random() < 0.3 else tensor


@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_any_memory_has_a_digest(dtype: torch.dtype) -> None:
    numbers = random.Random(0)
    for _ in range(500):
        tensor = strange(dtype, numbers)
        assert digest(tensor) == digest(tensor), (tensor.shape, tensor.stride())


def test_a_transposed_row_of_one_sample_has_one() -> None:
    w = torch.arange(4.0)[:, None].t()  # (1, 4), with strides (1, 1)
    before = digest(w)
    w[0, 2] = 7.0
    assert digest(w) != before


@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_one_changed_element_and_an_exchange_are_seen(dtype: torch.dtype) -> None:
    tensor = torch.zeros(3, 4, 6, dtype=dtype)
    tensor[0, 0, 0] = 1
    before = digest(tensor)
    tensor[0, 0, 0], tensor[2, 3, 5] = 0, 1
    exchanged = digest(tensor)
    tensor[1, 1, 1] = 1
    assert len({before, exchanged, digest(tensor)}) == 3
