"""Pictures of inversions: of noise maps, of weights, of several codes, each held against plain passes."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import pytest
import torch
from ganstrata import Inputs, Inversion, Mixture, Pass
from ganstrata.core.errors import MismatchError, UserError
from ganstrata.core.inversion.rendering import Renderer
from ganstrata.core.randomness import Stream
from ganstrata.core.strata.mixtures import render_mixture
from ganstrata.core.strata.stepping import advance, begun, finished
from ganstrata.core.strata.tuned import tuned
from ganstrata.testing.tiny import CHANNELS, LAYERS, SIZE, Tiny, TinyClasses, tiny

INDEX = torch.tensor([4, 9, 11])


@pytest.fixture
def generator() -> Tiny:
    return tiny()


@pytest.fixture
def codes(generator: Tiny) -> torch.Tensor:
    z = generator.sample(9, 0, 0, Stream.PROBING).z.view(3, 3, -1)
    return torch.stack([generator.map(each) for each in z.unbind(1)], dim=1)  # (N, L, D)


def plain(generator: Tiny, codes: torch.Tensor, index: torch.Tensor = INDEX) -> torch.Tensor:
    return Pass(generator, codes, index=index, noise=6).rendering.images


def test_rows_decide_the_noise(generator: Tiny, codes: torch.Tensor) -> None:
    render = Renderer(generator, INDEX, 6)
    assert torch.equal(render(Inversion(codes)).images, plain(generator, codes))
    rows = render(Inversion(codes), [2, 2, 0]).images
    assert torch.equal(rows, plain(generator, codes, INDEX[[2, 2, 0]]))
    assert not torch.equal(rows, plain(generator, codes))


def test_noise_maps_take_the_place_of_the_own(generator: Tiny, codes: torch.Tensor) -> None:
    render = Renderer(generator, INDEX, 6)
    other = {s: generator.noise_map(s, Inputs(3, None, INDEX + 1, 6)) for s in range(LAYERS)}
    given = render(Inversion(codes, noise=other)).images
    torch.testing.assert_close(given, plain(generator, codes, INDEX + 1))
    one = render(Inversion(codes, noise={1: other[1]})).images
    assert not torch.allclose(one, given)
    assert not torch.allclose(one, plain(generator, codes))


@pytest.mark.parametrize(
    ("s", "shape", "message"),
    [
        (LAYERS, (3, 1, SIZE, SIZE), f"stratum {LAYERS} adds none"),
        (17, (3, 1, SIZE, SIZE), "stratum 17 adds none"),
        (1, (3, 1, SIZE, 4), r"stratum 1 takes \(1, 8, 8\) and not \(1, 8, 4\)"),
    ],
)
def test_noise_maps_that_do_not_fit_are_refused(
    generator: Tiny, codes: torch.Tensor, s: int, shape: tuple[int, ...], message: str
) -> None:
    with pytest.raises(MismatchError, match=message):
        Renderer(generator, INDEX)(Inversion(codes, noise={s: torch.zeros(shape)}))


def test_each_picture_has_its_own_weights(generator: Tiny, codes: torch.Tensor) -> None:
    deltas = tuple({"output.weight": torch.full_like(generator.output.weight, x)} for x in (0.5, -1.0))
    weights: tuple[Mapping[str, torch.Tensor], ...] = (deltas[0], {}, deltas[1])
    render = Renderer(generator, INDEX, 6, features=(1,))
    made = render(Inversion(codes, weights=weights))
    before, own = plain(generator, codes), generator.output.weight
    torch.testing.assert_close(made.images[1], before[1])
    for i, delta in ((0, 0.5), (2, -1.0)):
        with tuned(generator, {"output.weight": torch.full_like(own, delta)}):
            torch.testing.assert_close(made.images[i], plain(generator, codes)[i])
        assert not torch.allclose(made.images[i], before[i])
    assert generator.output.weight is own
    assert torch.equal(plain(generator, codes), before)
    assert made.features[1].shape == (3, CHANNELS, SIZE, SIZE)


def test_gradients_of_pictures_with_weights_reach_codes_and_weights(
    generator: Tiny, codes: torch.Tensor
) -> None:
    """They are computed after the weights were taken away again, and are those of the weights."""
    delta = torch.full_like(generator.layers[0].weight, 0.2).requires_grad_(True)
    moved = codes[:1].clone().requires_grad_(True)
    inversion = Inversion(moved, weights=({"layers.0.weight": delta},))
    value = Renderer(generator, INDEX[:1], 6)(inversion).images.square().sum()
    got = torch.autograd.grad(value, (moved, delta))
    with torch.no_grad():
        generator.layers[0].weight.add_(0.2)
    leaf = generator.layers[0].weight.requires_grad_(True)
    again = codes[:1].clone().requires_grad_(True)
    expected = torch.autograd.grad(plain(generator, again, INDEX[:1]).square().sum(), (again, leaf))
    for a, b in zip(got, expected, strict=True):
        torch.testing.assert_close(a, b)
    assert delta.grad is None


def test_weights_that_modules_share_change_in_both(codes: torch.Tensor) -> None:
    class Tied(Tiny):
        def __init__(self, config, device) -> None:
            super().__init__(config, device)
            self.layers[1].weight = self.layers[0].weight

    generator = tiny(Tied)
    assert "layers.1.weight" not in generator.tunable
    with tuned(generator, {"layers.0.weight": torch.ones_like(generator.layers[0].weight)}):
        assert generator.layers[1].weight is generator.layers[0].weight
    assert generator.layers[1].weight is generator.layers[0].weight


@pytest.mark.parametrize("stratum", [0, 1, 2])
def test_a_mixture_is_a_weighted_sum_of_feature_maps(
    generator: Tiny, codes: torch.Tensor, stratum: int
) -> None:
    several = torch.stack([codes, codes.flip(0)], dim=1)  # (N, K, L, D)
    weights = torch.rand(3, 2, CHANNELS, generator=torch.Generator().manual_seed(0))
    last = codes.roll(1, 0)
    made = Renderer(generator, INDEX, 6, features=(0, stratum))(
        Inversion(last, mixture=Mixture(several, weights, stratum))
    )
    inputs, x = Inputs(3, None, INDEX, 6), 0.0
    for k in range(2):
        state = advance(generator, begun(generator, inputs), several[:, k], 0, stratum + 1, {}, ())
        x = x + weights[:, k, :, None, None] * state.x
    rest = advance(generator, state.with_x(x), last, stratum + 1, LAYERS + 1, {}, ())
    torch.testing.assert_close(made.images, finished(generator, rest, 3))
    torch.testing.assert_close(made.features[stratum], x)


def test_one_code_with_weights_of_one_is_no_mixture(generator: Tiny, codes: torch.Tensor) -> None:
    mixture = Mixture(codes[:, None], torch.ones(3, 1, CHANNELS), 1)
    made = Renderer(generator, INDEX, 6)(Inversion(codes, mixture=mixture)).images
    torch.testing.assert_close(made, plain(generator, codes))


def test_of_skip_connections_the_pictures_so_far_are_averaged() -> None:
    class Skipping(Tiny):
        """Each layer adds to the picture, as in StyleGAN2."""

        def stratum(self, s, state, code, style=None):
            after = super().stratum(s, state, code, style)
            rgb = self.output(after.x) if state.rgb is None else state.rgb + self.output(after.x)
            return dataclasses.replace(after, rgb=rgb) if s < LAYERS else state

    generator = tiny(Skipping)
    z = generator.sample(2, 0, 0, Stream.PROBING).z
    both = generator.broadcast(generator.map(z))  # (2, L, D)
    inputs = Inputs(1, None, INDEX[:1])
    weights = torch.full((1, 2, CHANNELS), 0.5)
    made = render_mixture(generator, Mixture(both[None], weights, 1), both[:1], inputs).images
    states = [advance(generator, begun(generator, inputs), both[k : k + 1], 0, 2, {}, ()) for k in range(2)]
    mean = dataclasses.replace(
        states[0], x=(states[0].x + states[1].x) / 2, rgb=(states[0].rgb + states[1].rgb) / 2
    )
    rest = advance(generator, mean, both[:1], 2, LAYERS + 1, {}, ())
    torch.testing.assert_close(made, finished(generator, rest, 1))


def test_mixtures_that_do_not_fit_are_refused(generator: Tiny, codes: torch.Tensor) -> None:
    render = Renderer(generator, INDEX)
    for stratum in (LAYERS, 9):
        mixture = Mixture(codes[:, None], torch.ones(3, 1, CHANNELS), stratum)
        with pytest.raises(UserError, match=rf"after stratum {stratum} of .* give one of 0, 1, 2"):
            render(Inversion(codes, mixture=mixture))
    with pytest.raises(UserError, match=r"for 5 channels; the feature map after stratum 1 .* has 6"):
        render(Inversion(codes, mixture=Mixture(codes[:, None], torch.ones(3, 1, 5), 1)))


def test_weights_of_classes_are_a_condition() -> None:
    generator = tiny(TinyClasses)
    z = generator.sample(3, 0, 0, Stream.PROBING).z
    middle = generator.map(z, torch.full((3, 3), 1 / 3))
    each = [generator.map(z, torch.full((3,), y)) for y in range(3)]
    torch.testing.assert_close(middle, torch.stack(each).mean(dim=0))
