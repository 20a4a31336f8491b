"""Pixels and tiles."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from ganstrata.core.editing.strips import split_strip
from ganstrata.core.figures.pictures import jpeg, opaque, png, read_picture, read_stored, tile, to_pixels
from ganstrata.core.figures.sheets import sheet
from ganstrata.core.plugins.colours import to_rgb
from PIL import Image


def test_all_256_values_survive():
    values = torch.arange(256).float() / 255.0
    images = torch.stack([values, values.flip(0), values * 0.5]).view(1, 3, 16, 16)
    pixels = to_pixels(images)
    assert pixels.shape == (1, 16, 16, 3)
    assert pixels.dtype == np.uint8
    assert pixels[0, :, :, 0].ravel().tolist() == list(range(256))
    assert pixels[0, :, :, 1].ravel().tolist() == list(range(255, -1, -1))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_values_are_rounded_to_the_nearest_and_clamped(dtype):
    values = torch.tensor(
        [-3.0, -0.001, 0.0, 0.49 / 255, 0.51 / 255, 100.4 / 255, 100.6 / 255, 1.0, 1.001, 7.0], dtype=dtype
    )
    expected = np.rint(np.clip(values.double().numpy(), 0.0, 1.0) * 255.0)
    pixels = to_pixels(values.expand(2, 3, 1, -1).requires_grad_())
    assert pixels.shape == (2, 1, 10, 3)
    np.testing.assert_array_equal(pixels[1, 0, :, 2], expected)


def test_tiles_stand_where_they_should_with_white_between():
    pictures = np.random.default_rng(0).integers(0, 255, (2, 3, 4, 5, 3)).astype(np.uint8)  # no 255
    sheet = tile(pictures, gap=2)
    assert sheet.shape == (2 * 4 + 2, 3 * 5 + 2 * 2, 3)
    white = sheet.min(axis=2) == 255
    for r in range(2):
        for c in range(3):
            y, x = slice(r * 6, r * 6 + 4), slice(c * 7, c * 7 + 5)
            np.testing.assert_array_equal(sheet[y, x], pictures[r, c])
            white[y, x] = True
    assert white.all()
    np.testing.assert_array_equal(tile(pictures[:1, :1]), pictures[0, 0])


def test_png_keeps_every_pixel_and_jpeg_nearly():
    rng = np.random.default_rng(1)
    picture = rng.integers(0, 256, (7, 9, 3)).astype(np.uint8)
    assert png(picture).startswith(b"\x89PNG")
    np.testing.assert_array_equal(read_picture(png(picture)), picture)
    assert png(picture) == png(picture.copy())
    y, x = np.mgrid[0:32, 0:32]
    smooth = np.stack([8 * x, 8 * y, 128 + 0 * x], axis=2).astype(np.uint8)
    assert jpeg(smooth).startswith(b"\xff\xd8")
    assert np.abs(read_picture(jpeg(smooth)).astype(int) - smooth).mean() < 2.0


def test_grey_pictures_are_read_as_colour():
    grey = np.arange(12, dtype=np.uint8).reshape(3, 4)
    np.testing.assert_array_equal(read_picture(png(grey)), np.repeat(grey[:, :, None], 3, axis=2))


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB"), (4, "RGBA")])
def test_files_keep_grey_and_alpha(channels: int, mode: str):
    images = torch.rand(6, channels, 5, 3, generator=torch.Generator().manual_seed(2))
    pixels = to_pixels(images)
    assert pixels.shape == (6, 5, 3, channels)
    content = png(tile(pixels.reshape(2, 3, 5, 3, channels)))
    with Image.open(io.BytesIO(content)) as image:
        assert (image.mode, image.size) == (mode, (3 * 3 + 2 * 2, 2 * 5 + 2))
    stored = read_stored(content)
    np.testing.assert_array_equal(stored[:5, :3], pixels[0])
    assert (stored[5:7] == 255).all(), "gaps are white, and opaque"
    frames = split_strip(stored, 3, 2)
    np.testing.assert_array_equal(frames.reshape(pixels.shape), pixels)
    with Image.open(
        io.BytesIO(sheet(pixels.reshape(2, 3, 5, 3, channels), list("abc"), ["x", "y"]))
    ) as image:
        assert image.mode == mode


def test_alpha_is_composited_as_for_scorers():
    images = torch.rand(2, 4, 3, 4, generator=torch.Generator().manual_seed(3))
    on_blue = (
        images[:, :3] * images[:, 3:] + (1.0 - images[:, 3:]) * torch.tensor([0.0, 0.0, 1.0])[:, None, None]
    )
    assert torch.allclose(to_rgb(images, "#0000ff"), on_blue, atol=1e-6)
    wanted = to_pixels(on_blue).astype(int)
    assert np.abs(opaque(to_pixels(images), "#0000ff").astype(int) - wanted).max() <= 1
    beyond = torch.tensor([2.0, -1.0, 0.5, 1.5]).view(1, 4, 1, 1)
    assert to_rgb(beyond, "#ffffff").flatten().tolist() == [2.0, -1.0, 0.5], "alpha alone is clamped"
    assert to_rgb(torch.full((1, 1, 2, 2), 0.3), "#ffffff").shape == (1, 3, 2, 2)
