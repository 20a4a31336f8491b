"""Features of chosen pixels are those of enlarged maps, and the choice is fair."""

from __future__ import annotations

import pytest
import torch
from ganstrata.core.randomness import Stream
from ganstrata.core.semantics.heads import enlarge
from ganstrata.core.semantics.learning.pixels import Pixels, choose_pixels, pixel_features


@pytest.mark.parametrize("size", [(16, 16), (15, 22), (1, 7), (6, 1)])
def test_features_are_those_of_enlarged_maps(size: tuple[int, int]):
    torch.manual_seed(0)
    maps = [torch.randn(3, c, h, w) for c, h, w in ((5, 4, 4), (4, 1, 3), (3, 8, 6), (2, *size))]
    everywhere = torch.cat([enlarge(x, size) for x in maps], dim=1)  # (3, F, H, W)
    sample, row, column = torch.meshgrid(*(torch.arange(k) for k in (3, *size)), indexing="ij")
    pixels = Pixels(sample.flatten(), row.flatten(), column.flatten(), torch.ones(sample.numel()))
    found = pixel_features(maps, pixels, size)
    torch.testing.assert_close(found, everywhere.permute(0, 2, 3, 1).flatten(0, 2), rtol=1e-5, atol=1e-6)


def _labels() -> torch.Tensor:
    labels = torch.zeros(2, 20, 20, dtype=torch.int64)
    labels[0, :2] = 1
    labels[0, 2, :3] = 2
    labels[1, :, 10:] = -1
    return labels


@pytest.mark.parametrize("sampling", ["plain", "balanced"])
def test_pixels_are_distinct_and_known(sampling: str):
    labels = _labels()
    pixels = choose_pixels(labels, 100, [4, 5], 0, Stream.TRAINING, sampling)
    places = {tuple(place) for place in torch.stack([pixels.sample, pixels.row, pixels.column], 1).tolist()}
    assert len(places) == len(pixels.sample) == 200
    assert pixels.labels(labels).min() >= 0


@pytest.mark.parametrize("sampling", ["plain", "balanced"])
def test_weights_add_up_to_the_known_pixels(sampling: str):
    pixels = choose_pixels(_labels(), 50, [0, 1], 0, Stream.TRAINING, sampling)
    for sample, known in ((0, 400), (1, 200)):
        assert float(pixels.weight[pixels.sample == sample].sum()) == pytest.approx(known)


def test_balanced_choice_takes_small_classes_whole():
    labels = _labels()
    pixels = choose_pixels(labels, 63, [0, 1], 0, Stream.TRAINING, "balanced")
    of_first = pixels.labels(labels)[pixels.sample == 0]
    assert torch.bincount(of_first).tolist() == [30, 30, 3]


def test_plain_choice_takes_classes_as_often_as_they_are():
    labels = _labels()[:1].expand(400, -1, -1)
    pixels = choose_pixels(labels, 20, list(range(400)), 0, Stream.TRAINING)
    share = (pixels.labels(labels) == 1).double().mean()
    assert float(share) == pytest.approx(0.1, abs=0.015)  # 4.5 standard errors


def test_choice_depends_on_sample_and_seed_alone():
    labels = _labels()
    both = choose_pixels(labels, 9, [7, 8], 3, Stream.TRAINING)
    alone = choose_pixels(labels[1:], 9, [8], 3, Stream.TRAINING)
    other = choose_pixels(labels[1:], 9, [8], 4, Stream.TRAINING)
    assert torch.equal(both.row[both.sample == 1], alone.row)
    assert not torch.equal(alone.row, other.row)


def test_a_picture_without_known_pixels_gives_none():
    labels = torch.full((1, 4, 4), -1)
    for sampling in ("plain", "balanced"):
        pixels = choose_pixels(labels, 9, [0], 0, Stream.TRAINING, sampling)
        assert pixel_features([torch.randn(1, 3, 2, 2)], pixels, (4, 4)).shape == (0, 3)


def test_more_classes_than_pixels_leave_some_out():
    labels = torch.arange(16).view(1, 4, 4)
    pixels = choose_pixels(labels, 5, [0], 0, Stream.TRAINING, "balanced")
    assert len(set(pixels.labels(labels).tolist())) == 5
    assert pixels.weight.tolist() == [1.0] * 5
