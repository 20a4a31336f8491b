"""The weighted sum of terms: each term, masks, degradations, names and what is refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
import torch
import torch.nn.functional as F
from ganstrata import DataError, Rendering
from ganstrata.core.inversion.distance import DistanceRule
from ganstrata.core.inversion.similarity import ms_ssim
from torch import Tensor


@dataclass
class Colours:
    """A perceptual distance on the pixels themselves, that counts how often it computes features."""

    name: str = "pixels, 1 stage"
    calls: list[int] = field(default_factory=list)

    def features(self, rendering: Rendering) -> Sequence[Tensor]:
        self.calls.append(len(rendering.images))
        return [rendering.images]

    def compare(self, first: Sequence[Tensor], second: Sequence[Tensor]) -> Tensor:
        return (first[0] - second[0]).abs().flatten(1).mean(dim=1)


@dataclass
class Halved:
    name: str = "a half"

    def __call__(self, images: Tensor) -> Tensor:
        return F.avg_pool2d(images, 2)


def pictures(n: int = 2, side: int = 16, seed: int = 0) -> Tensor:
    return torch.rand(n, 3, side, side, generator=torch.Generator().manual_seed(seed))


def test_terms_are_weighted_and_summed():
    x, y = pictures(), pictures(seed=1)
    rule = DistanceRule(2.0, 0.5, 3.0, Colours())
    distance = rule.to(y)
    terms = distance.terms(Rendering(x))
    assert terms["MSE"].tolist() == pytest.approx((x - y).square().flatten(1).mean(1).tolist())
    assert terms["perceptual"].tolist() == pytest.approx((x - y).abs().flatten(1).mean(1).tolist())
    assert terms["MS-SSIM"].tolist() == pytest.approx((1 - ms_ssim(x, y)).tolist())
    expected = 2.0 * terms["MSE"] + 0.5 * terms["perceptual"] + 3.0 * terms["MS-SSIM"]
    assert distance(Rendering(x)).tolist() == pytest.approx(expected.tolist())
    assert distance(Rendering(y)).tolist() == pytest.approx([0.0, 0.0], abs=1e-6)


def test_pictures_are_not_clamped_so_that_gradients_lead_back():
    x = torch.full((1, 3, 16, 16), 1.5, requires_grad=True)
    DistanceRule(1.0).to(torch.ones(1, 3, 16, 16))(Rendering(x)).sum().backward()
    assert bool((x.grad > 0.0).all())


def test_a_term_of_weight_zero_is_not_computed():
    network = Colours()
    distance = DistanceRule(1.0, 0.0, 0.0, network).to(pictures())
    assert set(distance.terms(Rendering(pictures()))) == {"MSE"}
    assert network.calls == []


def test_features_of_the_given_pictures_are_computed_once():
    network = Colours()
    distance = DistanceRule(1.0, 1.0, network=network).to(pictures())
    for _ in range(3):
        distance(Rendering(pictures(seed=1)))
    assert len(network.calls) == 4


def test_unknown_pixels_count_in_no_term():
    y = pictures()
    known = torch.ones(2, 1, 16, 16)
    known[0, :, :, :8] = 0.0
    x = y.clone()
    x[0, :, :, :8] = 0.3  # only where it is unknown
    x[1] = x[1] + 0.1
    x.requires_grad_(True)
    distance = DistanceRule(1.0, 1.0, 1.0, Colours()).to(y, known)
    got = distance(Rendering(x))
    assert got[0].item() == pytest.approx(0.0, abs=1e-6)
    assert got[1].item() == pytest.approx(
        DistanceRule(1.0, 1.0, 1.0, Colours()).to(y)(Rendering(x))[1].item()
    )
    (gradient,) = torch.autograd.grad(got.sum(), x)
    assert gradient[0, :, :, :8].abs().sum().item() == 0.0


def test_a_term_is_per_known_pixel():
    y = torch.zeros(1, 3, 16, 16)
    known = torch.zeros(1, 1, 16, 16)
    known[..., :4] = 1.0
    terms = DistanceRule(1.0, 1.0, network=Colours()).to(y, known).terms(Rendering(y + 0.5))
    assert terms["MSE"].item() == pytest.approx(0.25)
    assert terms["perceptual"].item() == pytest.approx(0.5)


def test_one_mask_serves_all_pictures():
    known = torch.zeros(1, 1, 16, 16)
    known[..., :4] = 1.0
    distance = DistanceRule(1.0).to(pictures(3), known)
    assert distance.known is not None
    assert distance.known.shape == (3, 1, 16, 16)


def test_a_degradation_lies_between_generator_and_loss():
    x = pictures()
    distance = DistanceRule(1.0, degradation=Halved()).to(F.avg_pool2d(x, 2))
    assert distance(Rendering(x)).tolist() == [0.0, 0.0]
    assert distance.name == "1 MSE after a half"


def test_below_the_floor_nothing_pulls():
    y = torch.zeros(2, 3, 16, 16)
    x = torch.tensor([0.1, 0.3]).view(2, 1, 1, 1).expand(2, 3, 16, 16).clone().requires_grad_(True)
    distance = DistanceRule(1.0, floor=0.04).to(y)
    got = distance(Rendering(x))
    got.sum().backward()
    assert got.tolist() == pytest.approx([0.0, 0.05])
    assert x.grad[0].abs().sum().item() == 0.0
    assert x.grad[1].abs().sum().item() > 0.0


def test_the_name_says_weights_and_network():
    rule = DistanceRule(1.0, 0.8, 0.25, Colours())
    assert rule.name == "1 MSE + 0.8 perceptual(pixels, 1 stage) + 0.25 (1 - MS-SSIM)"
    assert rule.to(pictures()).name == rule.name
    assert DistanceRule(floor=0.01).name == "1 MSE above 0.01"


def test_a_picture_is_compared_by_itself():
    x, y = pictures(3), pictures(3, seed=1)
    rule = DistanceRule(1.0, 0.5, 1.0, Colours())
    whole = rule.to(y)(Rendering(x))
    for n in range(3):
        assert rule.to(y[n : n + 1])(Rendering(x[n : n + 1])).item() == pytest.approx(
            whole[n].item(), rel=1e-5
        )


def test_gradients_flow_though_the_targets_were_made_in_inference_mode():
    with torch.inference_mode():
        y, known = pictures(seed=1), torch.ones(2, 1, 16, 16)
        distance = DistanceRule(1.0, 1.0, 1.0, Colours()).to(y, known)
        distance(Rendering(pictures()))
    x = pictures().requires_grad_(True)
    distance(Rendering(x)).sum().backward()
    assert bool((x.grad.abs().sum(dim=(1, 2, 3)) > 0.0).all())


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"pixel": -1.0}, "pixel is -1"),
        ({"perceptual": float("nan")}, "perceptual is nan"),
        ({"ms_ssim": float("inf")}, "ms_ssim is inf"),
        ({"pixel": 0.0}, "all weights are 0"),
    ],
)
def test_wrong_weights_are_refused(weights: dict[str, float], message: str):
    with pytest.raises(DataError, match=message):
        DistanceRule(**weights)


@pytest.mark.parametrize(
    ("known", "message"),
    [
        (torch.ones(2, 1, 8, 16), r"shape \(2, 1, 8, 16\); \(2, 1, 16, 16\)"),
        (torch.ones(3, 1, 16, 16), r"\(3, 1, 16, 16\)"),
        (torch.ones(2, 3, 16, 16), r"\(2, 3, 16, 16\)"),
        (torch.full((2, 1, 16, 16), 255.0), r"outside \[0, 1\]"),
        (torch.full((2, 1, 16, 16), float("nan")), r"outside \[0, 1\]"),
        (torch.cat([torch.ones(1, 1, 16, 16), torch.zeros(1, 1, 16, 16)]), "no pixel of picture 1 "),
    ],
)
def test_wrong_masks_are_refused(known: Tensor, message: str):
    with pytest.raises(DataError, match=message):
        DistanceRule(1.0).to(pictures(), known)


def test_pictures_of_another_size_are_refused():
    with pytest.raises(DataError, match=r"2 of 8 x 8 px.*the given ones 2 of 16 x 16 px"):
        DistanceRule(1.0).to(pictures())(Rendering(pictures(side=8)))
    with pytest.raises(DataError, match="after a half"):
        DistanceRule(1.0, degradation=Halved()).to(pictures())(Rendering(pictures()))
    with pytest.raises(DataError, match="floats"):
        DistanceRule(1.0).to(torch.zeros(1, 3, 4, 4, dtype=torch.uint8))


@pytest.mark.parametrize("masked", [False, True])
def test_candidates_are_compared_with_the_picture_that_their_row_names(masked: bool):
    wanted, tried = pictures(3), pictures(4, seed=1)
    known = (pictures(3, seed=2)[:, :1] > 0.5).float() if masked else None
    rows = [2, 2, 0, 2]
    rule, network = DistanceRule(2.0, 0.5, 3.0, Colours()), Colours()
    found = DistanceRule(2.0, 0.5, 3.0, network).to(wanted, known)
    repeated = rule.to(wanted[rows], None if known is None else known[rows])
    for _ in range(2):
        assert torch.allclose(found(Rendering(tried), rows), repeated(Rendering(tried)))
    assert network.calls == [3, 4, 4]  # of the given pictures only once
