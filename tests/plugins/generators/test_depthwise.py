"""Interpolation of feature maps, against zeros and sums written out."""

from __future__ import annotations

import pytest
import torch
from ganstrata.plugins.generators.shared.depthwise import interpolate
from torch import Tensor


def by_hand(x: Tensor, kernel: Tensor, stride: int, padding: int) -> Tensor:
    """Every sample leaves a copy of the filter, `stride` apart; `padding` is cut off on all sides."""
    n, c, height, width = x.shape
    rows, columns = kernel.shape
    y = x.new_zeros(n, c, (height - 1) * stride + rows, (width - 1) * stride + columns)
    for i in range(height):
        for j in range(width):
            y[:, :, i * stride : i * stride + rows, j * stride : j * stride + columns] += (
                x[:, :, i : i + 1, j : j + 1] * kernel
            )
    return y[:, :, padding : y.shape[2] - padding, padding : y.shape[3] - padding]


@pytest.mark.parametrize(("stride", "padding", "size"), [(2, 1, (4, 4)), (1, 0, (3, 2)), (3, 2, (6, 5))])
def test_samples_leave_copies_of_the_filter(stride: int, padding: int, size: tuple[int, int]) -> None:
    x, kernel = torch.randn(2, 3, 5, 4, dtype=torch.float64), torch.randn(size, dtype=torch.float64)
    resampled = interpolate(x, kernel, stride, padding)
    assert resampled.dtype == torch.float64
    assert torch.allclose(resampled, by_hand(x, kernel, stride, padding))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_sixteen_bits_are_rounded_once_at_the_end(dtype: torch.dtype) -> None:
    x = torch.randn(1, 3, 6, 6).to(dtype).contiguous(memory_format=torch.channels_last)
    kernel = torch.rand(4, 4)
    resampled = interpolate(x, kernel, 2, 1)
    assert torch.allclose(
        resampled.float(), by_hand(x.float(), kernel, 2, 1), rtol=torch.finfo(dtype).eps, atol=1e-6
    )
    assert resampled.dtype == dtype
    assert resampled.is_contiguous(memory_format=torch.channels_last)


def test_gradients_flow_through_sixteen_bits() -> None:
    x = torch.randn(1, 2, 3, 3, dtype=torch.bfloat16, requires_grad=True)
    interpolate(x, torch.ones(2, 2), 2, 0).float().sum().backward()
    assert x.grad is not None
    assert torch.equal(x.grad, torch.full_like(x.grad, 4.0))
