"""PSNR, SSIM and MS-SSIM against formulas worked out by hand and an own computation in float64."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from ganstrata.core.inversion.similarity import (
    SCALES,
    composited,
    ms_ssim,
    psnr,
    scales_for,
    squared_error,
    ssim,
    structure,
)
from scipy.signal import convolve2d
from torch import Tensor

C1, C2 = 0.01**2, 0.03**2


def pair(side: int, *, noise: float = 0.1, n: int = 2, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Smooth pictures (n, 3, side, side), and the same with noise."""
    rng = np.random.default_rng(seed)
    coarse = torch.from_numpy(rng.random((n, 3, 5, 5)))
    wanted = torch.nn.functional.interpolate(coarse, size=(side, side), mode="bicubic", align_corners=True)
    return wanted + noise * torch.from_numpy(rng.standard_normal(wanted.shape)), wanted


def own_structure(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """SSIM and contrast-structure of one channel, pixel by pixel with a window of two dimensions."""
    at = np.exp(-((np.arange(11) - 5.0) ** 2) / (2 * 1.5**2))
    window = np.outer(at, at) / at.sum() ** 2

    def mean(values: np.ndarray) -> np.ndarray:
        return convolve2d(values, window, mode="valid")

    mx, my = mean(x), mean(y)
    sxx, syy, sxy = (
        mean((a - 0.5) * (b - 0.5)) - (ma - 0.5) * (mb - 0.5)
        for a, b, ma, mb in ((x, x, mx, mx), (y, y, my, my), (x, y, mx, my))
    )
    contrast = (2 * sxy + C2) / (sxx + syy + C2)
    return float((contrast * (2 * mx * my + C1) / (mx**2 + my**2 + C1)).mean()), float(contrast.mean())


def own_ms_ssim(x: np.ndarray, y: np.ndarray, weights: list[float]) -> float:
    """MS-SSIM of one channel."""
    product = 1.0
    for j, weight in enumerate(weights):
        whole, contrast = own_structure(x, y)
        product *= (whole if j == len(weights) - 1 else contrast) ** weight
        x, y = (a[: len(a) // 2 * 2, : a.shape[1] // 2 * 2] for a in (x, y))
        x, y = ((a[0::2, 0::2] + a[1::2, 0::2] + a[0::2, 1::2] + a[1::2, 1::2]) / 4 for a in (x, y))
    return product


def test_squared_error_is_a_mean_over_pixels_and_channels_of_known_pixels():
    pictures, wanted = torch.zeros(1, 3, 2, 2), torch.zeros(1, 3, 2, 2)
    wanted[0, 0, 0, 0], wanted[0, 1, 1, 1] = 0.6, 0.9
    assert squared_error(pictures, wanted).item() == pytest.approx((0.36 + 0.81) / 12)
    known = torch.tensor([[1.0, 0.5], [0.0, 0.0]]).view(1, 1, 2, 2)
    assert squared_error(pictures, wanted, known).item() == pytest.approx(0.36 / 3 / 1.5)


def test_psnr_of_known_numbers():
    wanted = torch.full((3, 3, 4, 4), 0.5)
    pictures = wanted + torch.tensor([0.01, 0.1, 0.0]).view(3, 1, 1, 1)
    assert psnr(pictures, wanted).tolist() == pytest.approx([40.0, 20.0, math.inf], abs=1e-3)


def test_psnr_is_of_what_is_shown():
    assert psnr(torch.full((1, 3, 2, 2), 1.7), torch.ones(1, 3, 2, 2)).item() == math.inf


def test_ssim_of_even_pictures_is_the_luminance_alone():
    got = ssim(
        torch.full((1, 3, 16, 16), 0.2, dtype=torch.float64),
        torch.full((1, 3, 16, 16), 0.6, dtype=torch.float64),
    )
    assert got.item() == pytest.approx((2 * 0.12 + C1) / (0.04 + 0.36 + C1), rel=1e-6)


def test_ssim_and_ms_ssim_equal_an_own_computation():
    pictures, wanted = pair(64)
    weights = [0.0448 / 0.6305, 0.2856 / 0.6305, 0.3001 / 0.6305]
    for n in range(2):
        channels = [(pictures[n, c].numpy(), wanted[n, c].numpy()) for c in range(3)]
        single = np.mean([own_structure(x, y)[0] for x, y in channels])
        several = np.mean([own_ms_ssim(x, y, weights) for x, y in channels])
        assert ssim(pictures, wanted)[n].item() == pytest.approx(single, rel=1e-9)
        assert ms_ssim(pictures, wanted)[n].item() == pytest.approx(several, rel=1e-9)
        assert 0.05 < single < several < 0.999


def test_all_five_scales_at_their_published_weights():
    pictures, wanted = pair(176, n=1)
    several = np.mean(
        [own_ms_ssim(pictures[0, c].numpy(), wanted[0, c].numpy(), list(SCALES)) for c in range(3)]
    )
    assert ms_ssim(pictures, wanted).item() == pytest.approx(several, rel=1e-9)


@pytest.mark.parametrize(
    ("side", "scales"),
    [(4, 1), (21, 1), (22, 2), (43, 2), (44, 3), (64, 3), (88, 4), (175, 4), (176, 5), (1024, 5)],
)
def test_scales_that_fit_sum_to_one(side: int, scales: int):
    weights = scales_for(side, 2 * side)
    assert len(weights) == scales
    assert sum(weights) == pytest.approx(1.0001 if scales == 5 else 1.0)  # the five as published
    assert [w / weights[0] for w in weights] == pytest.approx([w / SCALES[0] for w in SCALES[:scales]])


@pytest.mark.parametrize("side", [1, 2, 8, 64])
def test_equal_pictures_are_alike_at_any_size(side: int):
    wanted = torch.rand(2, 3, side, side + 1, generator=torch.Generator().manual_seed(0))
    assert ms_ssim(wanted, wanted).tolist() == pytest.approx([1.0, 1.0])


def test_opposite_pictures_have_no_likeness_and_finite_gradients():
    x = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    opposite = (1.0 - x).requires_grad_(True)
    assert float(structure(opposite.detach(), x).contrast.max()) < 0.0
    value = ms_ssim(opposite, x)
    value.sum().backward()
    assert value.item() == 0.0
    assert bool(opposite.grad.isfinite().all())


def test_the_gradient_of_ms_ssim_is_that_of_its_differences():
    pictures, wanted = pair(24, n=1, noise=0.05)
    x = pictures[:, :, :, :].clone().requires_grad_(True)
    assert torch.autograd.gradcheck(lambda v: ms_ssim(v, wanted), (x,), eps=1e-6, atol=1e-7, fast_mode=True)


def test_a_picture_is_measured_by_itself():
    pictures, wanted = pair(32, n=3)
    for n in range(3):
        alone = ms_ssim(pictures[n : n + 1], wanted[n : n + 1])
        assert alone.item() == pytest.approx(ms_ssim(pictures, wanted)[n].item(), rel=1e-12)


def test_unknown_pixels_are_those_of_the_wanted_picture():
    x, y = torch.zeros(1, 3, 1, 2), torch.ones(1, 3, 1, 2)
    known = torch.tensor([1.0, 0.0]).view(1, 1, 1, 2)
    assert composited(x, y, known)[0, 0, 0].tolist() == [0.0, 1.0]
    assert composited(x, y, None) is x
