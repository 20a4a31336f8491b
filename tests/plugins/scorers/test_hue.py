"""Hue against Python's colorsys, and on pictures whose colours are known."""

from __future__ import annotations

import colorsys

import ganstrata
import numpy as np
import pytest
import torch
from closeness import assert_near
from ganstrata import Rendering
from ganstrata.plugins.scorers.hue import NAMES, hue_saturation_value, hue_shares
from torch import Tensor


def plain(red: float, green: float, blue: float, size: int = 4) -> Tensor:
    return torch.tensor([red, green, blue], dtype=torch.float32)[None, :, None, None].expand(1, 3, size, size)


def scores_of(images: Tensor, *, soft: bool = False) -> dict[str, float]:
    scorer = ganstrata.load_scorer("hue", device="cpu", soft=soft)
    (row,) = scorer.score(Rendering(images)).tolist()
    return dict(zip([concept.name for concept in scorer.concepts], row, strict=True))


def test_every_pixel_has_the_hue_that_colorsys_gives() -> None:
    pixels = np.random.default_rng(0).random((2000, 3)).astype(np.float32)
    pixels[:20] = np.round(pixels[:20])  # corners of the cube: grey, black, white and pure colours
    pixels[20:40, 1] = pixels[20:40, 0]  # two channels alike
    images = torch.from_numpy(pixels.T.copy()).view(1, 3, 40, 50)
    hue, chroma, saturation, value = (x.flatten().numpy() for x in hue_saturation_value(images))
    wanted = np.array([colorsys.rgb_to_hsv(*map(float, pixel)) for pixel in pixels])
    turned = np.abs(hue - 360.0 * wanted[:, 0])
    assert np.minimum(turned, 360.0 - turned).max() < 0.01
    assert np.abs(saturation - wanted[:, 1]).max() < 1e-5
    assert np.abs(value - wanted[:, 2]).max() < 1e-6
    assert np.abs(chroma - wanted[:, 1] * wanted[:, 2]).max() < 1e-5


def test_shares_are_a_weighted_histogram() -> None:
    pixels = np.random.default_rng(1).random((600, 3))
    weight = np.zeros(12)
    for pixel in pixels:
        hue, saturation, value = colorsys.rgb_to_hsv(*pixel)
        weight[int(np.floor(12.0 * hue + 0.5)) % 12] += saturation * value
    scores = scores_of(torch.from_numpy(pixels.T.astype(np.float32)).reshape(1, 3, 20, 30))
    assert np.abs(np.array([scores[name] for name in NAMES]) - weight / weight.sum()).max() < 1e-4


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize(
    ("colour", "name"),
    [
        ((1, 0, 0), "red"),
        ((1, 0.5, 0), "orange"),
        ((1, 1, 0), "yellow"),
        ((0, 1, 0), "green"),
        ((0, 1, 1), "cyan"),
        ((0, 0, 1), "blue"),
        ((0, 0.5, 1), "azure"),
        ((0.5, 0, 1), "violet"),
        ((1, 0, 1), "magenta"),
        ((1, 0, 0.5), "rose"),
    ],
)
def test_pure_colours_fall_into_the_bin_of_their_name(
    colour: tuple[float, float, float], name: str, soft: bool
) -> None:
    scores = scores_of(plain(*colour), soft=soft)
    assert scores.pop(name) == pytest.approx(1.0, abs=1e-5)
    assert scores.pop("saturation") == scores.pop("value") == 1.0
    assert all(share == pytest.approx(0.0, abs=1e-5) for share in scores.values())


@pytest.mark.parametrize(
    ("degrees", "name"),
    [(14.9, "red"), (15.1, "orange"), (345.1, "red"), (344.9, "rose"), (359.9, "red"), (134.9, "green")],
)
def test_bins_end_halfway_between_their_hues(degrees: float, name: str) -> None:
    assert scores_of(plain(*colorsys.hsv_to_rgb(degrees / 360.0, 1.0, 1.0)))[name] == 1.0


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("grey", [0.0, 0.3, 1.0, -0.2, 1.5])
def test_grey_pictures_have_no_hue(grey: float, soft: bool) -> None:
    scores = scores_of(plain(grey, grey, grey), soft=soft)
    assert all(np.isnan(scores[name]) for name in NAMES)
    assert scores["saturation"] == 0.0
    assert scores["value"] == pytest.approx(min(max(grey, 0.0), 1.0))


def test_a_grey_picture_does_not_spoil_its_neighbours() -> None:
    scorer = ganstrata.load_scorer("hue", device="cpu")
    both = scorer.score(Rendering(torch.cat([plain(0.5, 0.5, 0.5), plain(0.0, 0.0, 1.0)])))
    assert torch.isnan(both[0, :12]).all()
    assert_near(both[1:], scorer.score(Rendering(plain(0.0, 0.0, 1.0))))


def test_a_brighter_colour_weighs_more() -> None:
    scores = scores_of(torch.cat([plain(0.8, 0.0, 0.0), plain(0.0, 0.0, 0.4)], dim=3))
    assert scores["red"] == pytest.approx(2.0 / 3.0, abs=1e-5), "a brighter colour weighs more"
    assert scores["blue"] == pytest.approx(1.0 / 3.0, abs=1e-5)
    assert scores["value"] == pytest.approx(0.6)


def test_values_beyond_the_range_count_as_its_end() -> None:
    assert scores_of(plain(1.7, -0.3, -0.1)) == scores_of(plain(1.0, 0.0, 0.0))


def test_soft_shares_have_a_gradient_and_add_up() -> None:
    images = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0)).requires_grad_()
    scores = ganstrata.load_scorer("hue", device="cpu", soft=True).score(Rendering(images))
    assert torch.allclose(scores[:, :12].sum(dim=1), torch.ones(2), atol=1e-4)
    (slope,) = torch.autograd.grad(scores[:, 0].sum(), images)
    assert slope.isfinite().all()
    assert slope.abs().max() > 0.0
    step = 1e-2 * slope / slope.norm()
    after = ganstrata.load_scorer("hue", device="cpu", soft=True).score(Rendering((images + step).detach()))
    assert float(after[:, 0].sum() - scores[:, 0].detach().sum()) == pytest.approx(
        1e-2 * float(slope.norm()), rel=0.3
    )


def test_soft_gradients_are_those_of_finite_differences() -> None:
    """In double precision, on pixels that stand away from where hues, bins and channels change over."""
    images = torch.rand(2, 3, 4, 5, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    hue, chroma, _, _ = hue_saturation_value(images)
    order = images.sort(dim=1).values
    assert (order.diff(dim=1) > 1e-4).all()
    assert ((hue / 30.0 - (hue / 30.0).round()).abs() > 1e-4).all()
    assert (chroma > 0.0).all()

    def scores(given: Tensor) -> Tensor:
        hue, chroma, saturation, value = hue_saturation_value(given)
        means = [saturation.mean(dim=(1, 2)), value.mean(dim=(1, 2))]
        return torch.cat([hue_shares(hue, chroma, soft=True), torch.stack(means, dim=1)], dim=1)

    assert torch.autograd.gradcheck(scores, images.requires_grad_(), eps=1e-6, atol=1e-6)


@pytest.mark.parametrize("degrees", [2.5 + 7 * i for i in range(52)])
def test_soft_and_hard_on_pictures_of_one_hue(degrees: float) -> None:
    """Two neighbouring bins share a hue in proportion, by a circular triangle of 30 degrees to either side.

    The nearer of them is the one that gets all of it without `soft`.
    """
    picture = plain(*colorsys.hsv_to_rgb(degrees / 360.0, 0.8, 0.7))
    hard, soft = scores_of(picture), scores_of(picture, soft=True)
    for b, name in enumerate(NAMES):
        away = abs((degrees - 30 * b + 180) % 360 - 180)
        assert soft[name] == pytest.approx(max(0.0, 1.0 - away / 30.0), abs=1e-4)
        assert hard[name] == pytest.approx(float(away < 15), abs=1e-5)
    assert (hard["saturation"], hard["value"]) == (soft["saturation"], soft["value"])
    assert soft["saturation"] == pytest.approx(0.8, abs=1e-5)


def test_soft_and_hard_differ_by_less_than_half_a_bins_share(rooms: ganstrata.Generator) -> None:
    """On real pictures, where hues fall anywhere in their bins."""
    images = ganstrata.render(
        rooms, rooms.broadcast(rooms.map(rooms.sample(12, 0, 0, ganstrata.Stream.PROBING).z))
    )
    hard, soft = (
        ganstrata.load_scorer("hue", device="cpu", soft=soft).score(Rendering(images))
        for soft in (False, True)
    )
    assert torch.equal(hard.isnan(), soft.isnan())
    apart = (hard - soft)[:, :12].nan_to_num().abs()
    assert apart.mean() < 0.06
    assert apart.max() < 0.5
    assert torch.equal(hard[:, 12:], soft[:, 12:])


def test_scores_do_not_depend_on_batch_or_size() -> None:
    scorer = ganstrata.load_scorer("hue", device="cpu")
    images = torch.rand(3, 3, 5, 9, generator=torch.Generator().manual_seed(1))
    together = scorer.score(Rendering(images))
    assert together.shape == (3, 14)
    assert torch.allclose(
        together, torch.cat([scorer.score(Rendering(images[i : i + 1])) for i in range(3)]), atol=1e-6
    )
    assert torch.allclose(together, scorer.score(Rendering(images.repeat_interleave(2, dim=2))), atol=1e-5)
