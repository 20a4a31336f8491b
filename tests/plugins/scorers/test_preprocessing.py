"""What networks are shown: exactly what Pillow makes of the picture, with a gradient."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from closeness import assert_near
from ganstrata.plugins.shared import preprocessing
from ganstrata.plugins.shared.preprocessing import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    centre_cropped,
    normalised,
    resized,
)
from PIL import Image

SIZES = [
    ((64, 64), (224, 224)),
    ((256, 256), (224, 224)),
    ((96, 160), (224, 224)),
    ((48, 300), (64, 64)),
    ((300, 512), (97, 31)),
    ((7, 5), (7, 11)),
]


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
@pytest.mark.parametrize(("before", "after"), SIZES)
def test_resizing_gives_what_pillow_gives(before: tuple[int, int], after: tuple[int, int], mode: str) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (*before, 3), dtype=np.uint8)
    reference = np.asarray(
        Image.fromarray(picture).resize(after[::-1], getattr(Image.Resampling, mode.upper()))
    )
    images = torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255.0
    ours = resized(images, *after, mode=mode)[0].permute(1, 2, 0) * 255.0
    assert ours.dtype == torch.float32
    np.testing.assert_allclose(ours.numpy(), reference, atol=1e-4)


def test_a_tall_picture_that_shrinks_a_lot_is_within_a_level() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (512, 300, 3), dtype=np.uint8)
    reference = np.asarray(Image.fromarray(picture).resize((97, 31), Image.Resampling.BILINEAR))
    ours = (
        resized(torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255.0, 31, 97)[0].permute(1, 2, 0)
        * 255.0
    )
    np.testing.assert_allclose(ours.numpy(), reference, atol=1.0 + 1e-4)


def test_pictures_are_rounded_to_256_levels_and_clamped_first() -> None:
    images = torch.tensor([-0.5, 0.1001, 0.5, 2.0]).view(1, 1, 2, 2).expand(1, 3, 2, 2)
    assert (resized(images, 2)[0, 0].flatten() * 255.0).round(decimals=3).tolist() == [
        0.0,
        26.0,
        128.0,
        255.0,
    ]


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_the_gradient_is_that_of_resizing_alone(mode: str) -> None:
    images = (
        0.2 + 0.6 * torch.rand(2, 3, 20, 30, generator=torch.Generator().manual_seed(0))
    ).requires_grad_()
    weight = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    (ours,) = torch.autograd.grad((resized(images, 8, mode=mode) * weight).sum(), images)
    plain = torch.nn.functional.interpolate(
        images, size=(8, 8), mode=mode, antialias=True, align_corners=False
    )
    (expected,) = torch.autograd.grad((plain * weight).sum(), images)
    torch.testing.assert_close(ours, expected, atol=1e-5, rtol=1e-4)


def test_gradients_pass_after_a_size_was_first_seen_in_inference_mode() -> None:
    images = torch.rand(1, 3, 21, 23, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        expected = resized(images, 9, 11)
    result = resized(images.requires_grad_(), 9, 11)
    result.sum().backward()
    assert images.grad is not None
    assert images.grad.abs().sum() > 0
    assert_near(result, expected)


def test_a_batch_resized_in_parts_is_the_pictures_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    images = torch.rand(5, 3, 40, 30, generator=torch.Generator().manual_seed(3))
    original = images.clone()
    one_by_one = torch.cat([resized(image[None], 70, 50) for image in images])
    monkeypatch.setitem(preprocessing.PIXELS, "cpu", 2 * 70 * 50)
    assert_near(resized(images, 70, 50), one_by_one)
    assert torch.equal(images, original)
    assert resized(images[:0], 70, 50).shape == (0, 3, 70, 50)


def test_autocast_changes_nothing() -> None:
    images = torch.rand(2, 3, 40, 30, generator=torch.Generator().manual_seed(4))
    expected = resized(images, 24)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(resized(images, 24), expected)


def test_pictures_are_cropped_and_normalised() -> None:
    images = torch.arange(36.0).view(1, 1, 6, 6).expand(1, 3, 6, 6) / 36.0
    assert centre_cropped(images, 2)[0, 0].mul(36.0).round().tolist() == [[14.0, 15.0], [20.0, 21.0]]
    result = normalised(images)
    for channel in range(3):
        torch.testing.assert_close(
            result[0, channel], (images[0, channel] - IMAGENET_MEAN[channel]) / IMAGENET_STD[channel]
        )
