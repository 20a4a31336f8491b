"""Distances in feature maps: the formula, the scorers that have maps, and what is refused."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from ganstrata import Concept, PluginBroken, PluginConfig, Rendering, Scorer, UserError, load_scorer
from ganstrata.core.inversion.perceptual import scorer_distance, unit, unit_distances
from torch import Tensor

CPU = torch.device("cpu")


def pictures(n: int = 2, side: int = 64, seed: int = 0) -> Tensor:
    return torch.rand(n, 3, side, side, generator=torch.Generator().manual_seed(seed))


class Maps(Scorer[PluginConfig]):
    """A scorer whose feature maps a test chooses."""

    Config = PluginConfig
    concepts = (Concept("any", "object"),)
    checkpoint = "0123456789abcdef"
    maps: object = None

    def score(self, rendering: Rendering) -> Tensor:
        return rendering.images.mean(dim=(1, 2, 3))[:, None]

    def feature_stages(self, rendering: Rendering) -> Sequence[Tensor] | None:
        return self.maps(rendering.images) if callable(self.maps) else self.maps


def maps(value: object) -> Maps:
    scorer = Maps(PluginConfig(), CPU)
    scorer.maps = value
    return scorer


def own_distance(first: list[np.ndarray], second: list[np.ndarray]) -> float:
    """The distance of two pictures, pixel by pixel."""
    stages = []
    for x, y in zip(first, second, strict=True):
        pixels = []
        for i in range(x.shape[1]):
            for j in range(x.shape[2]):
                a, b = x[:, i, j], y[:, i, j]
                a, b = a / (np.linalg.norm(a) or 1.0), b / (np.linalg.norm(b) or 1.0)
                pixels.append(((a - b) ** 2).sum())
        stages.append(np.mean(pixels))
    return float(np.mean(stages))


def test_distance_equals_a_computation_pixel_by_pixel():
    rng = np.random.default_rng(0)
    first = [rng.standard_normal((2, 4, 3, 5)), rng.standard_normal((2, 6, 2, 2))]
    second = [rng.standard_normal(x.shape) for x in first]
    first[0][0, :, 1, 2] = 0.0  # no feature at all there
    got = unit_distances([torch.tensor(x) for x in first], [torch.tensor(x) for x in second])
    for n in range(2):
        expected = own_distance([x[n] for x in first], [x[n] for x in second])
        assert got[n].item() == pytest.approx(expected, rel=1e-6)


def test_bounds_and_zero():
    x = torch.tensor([1.0, 0.0]).view(1, 2, 1, 1)
    assert unit_distances([x], [3.0 * x]).item() == 0.0
    assert unit_distances([x], [-x]).item() == pytest.approx(4.0)
    assert unit_distances([x], [x.flip(1)]).item() == pytest.approx(2.0)


def test_gradients_are_finite_where_there_is_no_feature():
    x = torch.zeros(1, 3, 2, 2, requires_grad=True)
    y = torch.ones(1, 3, 2, 2)
    unit_distances([x], [y]).sum().backward()
    assert bool(x.grad.isfinite().all())
    assert unit(torch.zeros(1, 3, 1, 1)).abs().sum().item() == 0.0


@pytest.mark.parametrize("name", ["attribute", "category"])
def test_the_scenes_network_has_five_stages(name: str):
    scorer = load_scorer(name, checkpoint="bundled:rooms", device="cpu")
    distance = scorer_distance(scorer, name, 64, 64)
    x = pictures().requires_grad_(True)
    found = distance.features(Rendering(x))
    assert [tuple(m.shape[1:]) for m in found] == [
        (32, 32, 32), (64, 16, 16), (64, 16, 16), (128, 8, 8), (128, 8, 8)
    ]  # fmt: skip
    # The last one is what the scores are read from.
    pooled = torch.cat([found[-1].mean(dim=(2, 3)), found[-1].amax(dim=(2, 3))], dim=1)
    assert torch.allclose(pooled, scorer.embed(Rendering(x)), atol=1e-5)
    assert distance.name == f"{name} {scorer.checkpoint[:8]}, 5 stages"
    d = distance.compare(found, distance.features(Rendering(pictures(seed=1))))
    d.sum().backward()
    assert bool((d > 0.0).all())
    assert bool((x.grad.flatten(1).abs().sum(dim=1) > 0.0).all())


def test_the_gradient_points_to_the_other_picture():
    scorer = load_scorer("attribute", checkpoint="bundled:rooms", device="cpu")
    distance = scorer_distance(scorer, "attribute", 64, 64)
    wanted = distance.features(Rendering(pictures(seed=1)))
    x = pictures().requires_grad_(True)
    before = distance.compare(distance.features(Rendering(x)), wanted).sum()
    before.backward()
    moved = x.detach() - 0.01 * x.grad / x.grad.abs().max()
    assert distance.compare(distance.features(Rendering(moved)), wanted).sum() < before


def test_a_scorer_without_feature_maps_is_refused():
    with pytest.raises(UserError, match=r"hue.*no feature maps to compare pictures by.*or `none`"):
        scorer_distance(load_scorer("hue", device="cpu"), "colour", 64, 64)


def test_a_scorer_of_the_generators_maps_is_refused():
    scorer = maps(lambda x: [x])
    scorer.features = (3,)
    with pytest.raises(UserError, match="cannot compare photographs"):
        scorer_distance(scorer, "m", 8, 8)


@pytest.mark.parametrize(
    "value",
    [[], "maps", torch.zeros(1, 3, 2, 2), [torch.zeros(1, 3)], [torch.zeros(2, 3, 2, 2)],
     [torch.zeros(1, 3, 2, 2, dtype=torch.long)], [torch.zeros(1, 3, 0, 2)], [None]],
)  # fmt: skip
def test_what_is_no_feature_map_is_refused(value: object):
    with pytest.raises(PluginBroken, match=r"feature_stages returned .*\(N, C, H, W\)"):
        scorer_distance(maps(value), "m", 8, 8)


def test_maps_without_gradients_are_refused_only_when_gradients_are_wanted():
    distance = scorer_distance(maps(lambda x: [x, x.detach()]), "m", 8, 8)
    x = pictures(side=8).requires_grad_(True)
    with torch.no_grad():
        assert len(distance.features(Rendering(x))) == 2
    with pytest.raises(UserError, match=r"without gradients \(number 2 of 2\).*feature_stages"):
        distance.features(Rendering(x))


def test_the_name_has_scorer_hash_and_stages():
    assert scorer_distance(maps(lambda x: [x]), "mine", 8, 8).name == "mine 01234567, 1 stage"
