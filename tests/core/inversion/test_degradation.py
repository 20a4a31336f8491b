"""What is done to given pictures, undone as far as it can be, and named."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from ganstrata import DataError, Rendering
from ganstrata.core.inversion.degradation import (
    Composed,
    Downsample,
    Grey,
    Mask,
    Noise,
    degradation_named,
)
from ganstrata.core.inversion.distance import DistanceRule
from ganstrata.core.inversion.filling import filled
from PIL import Image
from torch import Tensor


def pictures(n: int = 2, side: int = 16, seed: int = 0) -> Tensor:
    return torch.rand(n, 3, side, side, generator=torch.Generator().manual_seed(seed))


def smooth(n: int = 2, side: int = 32) -> Tensor:
    return torch.nn.functional.interpolate(pictures(n, 4), size=(side, side), mode="bilinear")


def test_grey_is_that_of_pillow():
    values = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    images = torch.from_numpy(values).permute(2, 0, 1)[None].float() / 255.0
    grey = Grey()(images)
    assert np.abs(grey[0, 0].numpy() * 255.0 - np.asarray(Image.fromarray(values).convert("L"))).max() <= 0.51
    assert torch.equal(grey[:, 0], grey[:, 1])
    assert torch.equal(grey[:, 0], grey[:, 2])
    blue = torch.tensor([0.0, 0.0, 1.0]).view(1, 3, 1, 1)
    assert Grey("BT.709")(blue)[0, 0].item() == pytest.approx(0.0722)


@pytest.mark.parametrize("degradation", [Grey(), Downsample(4), Mask(), Noise(0.1)])
def test_pictures_are_degraded_with_gradients_and_a_size(degradation):
    x = pictures().requires_grad_(True)
    got = degradation(x)
    assert tuple(got.shape[-2:]) == degradation.size(16, 16)
    got.sum().backward()
    assert bool((x.grad != 0.0).all())


@pytest.mark.parametrize("name", ["area", "bilinear", "bicubic"])
def test_downsampling_averages(name):
    checks = ((torch.arange(16)[:, None] + torch.arange(16)) % 2).float().expand(1, 3, 16, 16)
    assert (Downsample(4, name)(checks) - 0.5).abs().max().item() < 0.06
    assert Downsample(4, name)(torch.full((1, 3, 16, 8), 0.3)).shape == (1, 3, 4, 2)


def test_area_is_the_mean_of_blocks():
    x = pictures()
    assert torch.allclose(Downsample(8, "area")(x)[..., 0, 1], x[..., :8, 8:].mean(dim=(2, 3)), atol=1e-6)


def test_bicubic_is_that_of_pillow():
    values = np.random.default_rng(0).random((32, 32), dtype=np.float32)
    expected = np.asarray(Image.fromarray(values).resize((8, 8), Image.Resampling.BICUBIC))
    got = Downsample(4)(torch.from_numpy(values).expand(1, 3, -1, -1))[0, 1].numpy()
    assert np.abs(got - expected).max() < 1e-5


@pytest.mark.parametrize("degradation", [Grey(), Mask(), Downsample(2), Composed((Grey(), Downsample(4)))])
def test_a_whole_picture_agrees_with_what_was_given(degradation):
    given = degradation(smooth())
    whole = degradation.whole(given, None, 32, 32)
    assert whole.shape == (2, 3, 32, 32)
    assert (degradation(whole) - given).abs().max().item() < 0.1
    assert whole.min().item() >= 0.0
    assert whole.max().item() <= 1.0


def test_a_whole_picture_does_not_show_unknown_pixels():
    given = torch.full((1, 3, 8, 8), 0.25)
    known = torch.ones(1, 1, 8, 8)
    given[..., 2:5, 2:5], known[..., 2:5, 2:5] = 9.0, 0.0
    for degradation, side in ((Mask(), 8), (Downsample(2), 16), (Composed((Grey(), Downsample(4))), 32)):
        whole = degradation.whole(given, known, side, side)
        assert whole.shape == (1, 3, side, side)
        assert torch.allclose(whole, torch.tensor(0.25), atol=1e-6)


def test_filling_keeps_known_pixels_and_stays_between_them():
    x = smooth(1, 17)
    known = (torch.rand(1, 1, 17, 17, generator=torch.Generator().manual_seed(1)) < 0.3).float()
    got = filled(torch.where(known > 0.0, x, 99.0), known)
    assert torch.equal(torch.where(known > 0.0, got, 0.0), torch.where(known > 0.0, x, 0.0))
    assert got.min() >= x.min()
    assert got.max() <= x.max()
    assert (got - x).abs().mean() < 0.1
    assert torch.allclose(filled(x, torch.zeros(1, 1, 17, 17)), torch.tensor(0.5))


def test_noise_has_its_deviation_and_depends_on_the_picture_alone():
    clean = torch.full((3, 3, 64, 64), 0.5)
    spoilt = Noise(0.2).spoilt(clean, [0, 5, 9], seed=3)
    assert (spoilt - clean).std().item() == pytest.approx(0.2, rel=0.03)
    assert torch.equal(Noise(0.2).spoilt(clean[:1], [5], seed=3)[0], spoilt[1])
    assert not torch.equal(Noise(0.2).spoilt(clean[:1], [5], seed=4)[0], spoilt[1])
    assert Noise(0.2).floor == pytest.approx(0.04)
    assert not Noise(0.2).compares_features
    assert Grey().spoilt(clean, [0, 1, 2]).shape == clean.shape


def test_compositions_apply_all_parts_in_order():
    whole = Composed((Grey(), Downsample(4, "area"), Noise(0.1)))
    x = pictures()
    assert torch.allclose(whole(x), Downsample(4, "area")(Grey()(x)))
    assert whole.size(16, 8) == (4, 2)
    assert whole.floor == pytest.approx(0.01)
    assert not whole.compares_features
    assert Composed((Grey(), Downsample(4))).compares_features
    assert whole.name == "grey (BT.601), then downsampling 4 times (area), then noise (0.1)"
    assert (whole.spoilt(x, [0, 1]) - whole(x)).std().item() == pytest.approx(0.1, rel=0.3)


def test_below_the_noise_nothing_is_fitted_and_the_picture_is_cleaner():
    """A model of 100 numbers for 192 pixels fits a part of the noise, unless it stops at its variance."""
    generator = torch.Generator().manual_seed(0)
    basis = torch.randn(100, 192, generator=generator) / 192**0.5
    truth = basis[:3].sum(dim=0)  # most of its numbers are 0, where a search starts
    noise = Noise(0.3)
    given = noise.spoilt(truth.view(1, 3, 8, 8), [0])

    def error(floor: float) -> float:
        code = torch.zeros(100, requires_grad=True)
        optimiser = torch.optim.Adam([code], lr=0.02)
        distance = DistanceRule(1.0, degradation=noise, floor=floor).to(given)
        for _ in range(400):
            optimiser.zero_grad()
            distance(Rendering((code @ basis).view(1, 3, 8, 8))).sum().backward()
            optimiser.step()
        return float(((code @ basis).detach() - truth).square().mean())

    assert error(noise.floor) < 0.7 * error(0.0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("grey", Grey()),
        ("grey:BT.709", Grey("BT.709")),
        ("mask", Mask()),
        ("downsample:4", Downsample(4)),
        ("downsample:2:area", Downsample(2, "area")),
        ("noise:0.1", Noise(0.1)),
        ("grey + downsample:4 + noise:0.1", Composed((Grey(), Downsample(4), Noise(0.1)))),
    ],
)
def test_texts_name_degradations(text, expected):
    assert degradation_named(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gray", "Did you mean 'grey'"),
        ("", "is unknown"),
        ("grey:BT.2020", "is unknown"),
        ("mask:x", "is unknown"),
        ("downsample", "is unknown"),
        ("downsample:1", "factor is 1"),
        ("downsample:0", "factor is 0"),
        ("downsample:2.5", "is unknown"),
        ("downsample:4:lanczos", "is unknown"),
        ("downsample:" + "9" * 99, "is unknown"),
        ("noise:0", "standard deviation is 0"),
        ("noise:25", "0.1 is 25 of 255 levels"),
        ("noise:nan", "standard deviation is nan"),
        ("noise:much", "is unknown"),
        ("noise:0.1+grey", "noise must come once and last"),
        ("grey++mask", "is unknown"),
    ],
)
def test_wrong_texts_are_refused(text, message):
    with pytest.raises(DataError, match=message):
        degradation_named(text)


def test_a_factor_that_does_not_divide_is_refused():
    with pytest.raises(DataError, match=r"3 does not divide the generator's 16 x 18 px"):
        Downsample(3).size(16, 18)
    with pytest.raises(DataError, match="at least one"):
        Composed(())
