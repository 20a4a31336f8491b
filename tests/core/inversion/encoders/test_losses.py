"""The parts of the loss of an encoder, and its discriminator."""

from __future__ import annotations

import math

import pytest
import torch
from ganstrata.core.errors import UserError
from ganstrata.core.inversion.encoders.discriminator import (
    GAMMA,
    Discriminator,
    adversarial_loss,
    discriminator_loss,
)
from ganstrata.core.inversion.encoders.losses import active_rows, class_loss, deltas_loss, latent_loss, rate
from ganstrata.core.inversion.encoders.network import Architecture
from ganstrata.core.inversion.encoders.request import EncoderRequest, LossWeights


def test_changes_count_by_their_root_mean_square_as_far_as_they_are_on() -> None:
    deltas = torch.tensor([[[3.0, 4.0], [0.0, 0.0], [6.0, 8.0]]])
    assert deltas_loss(deltas, 4).item() == pytest.approx((5.0 + 0.0 + 10.0) / math.sqrt(2.0) / 3, abs=1e-4)
    assert deltas_loss(deltas, 2).item() == pytest.approx(5.0 / math.sqrt(2.0))
    assert deltas_loss(deltas, 1).item() == 0.0


def test_changes_of_zero_have_a_finite_gradient() -> None:
    deltas = torch.zeros(1, 2, 3, requires_grad=True)
    deltas_loss(deltas, 3).backward()
    assert deltas.grad is not None
    assert deltas.grad.isfinite().all()


def test_codes_are_compared_entry_by_entry() -> None:
    assert latent_loss(torch.tensor([[[1.0, 3.0]]]), torch.tensor([[[0.0, 0.0]]])).item() == 5.0


def test_classes_may_be_places_or_shares() -> None:
    logits = torch.tensor([[2.0, 0.0, -1.0]])
    place = class_loss(logits, torch.tensor([1]))
    share = class_loss(logits, torch.tensor([[0.0, 1.0, 0.0]]))
    assert place.item() == pytest.approx(share.item())
    assert place.item() == pytest.approx(-logits.log_softmax(1)[0, 1].item())


def test_rows_are_switched_on_one_by_one() -> None:
    counts = [active_rows(p / 1000, 10, progressive=True) for p in range(1001)]
    assert sorted(set(counts)) == list(range(1, 11))
    assert counts == sorted(counts)
    assert active_rows(0.0, 10, progressive=False) == 10


def test_the_rate_rises_and_falls() -> None:
    rates = [rate(p / 100) for p in range(101)]
    assert max(rates) == rates[2] == pytest.approx(1.0)
    assert rates[2:] == sorted(rates[2:], reverse=True)
    assert rates[-1] == pytest.approx(0.0, abs=1e-9)


@pytest.fixture
def discriminator() -> Discriminator:
    torch.manual_seed(0)
    return Discriminator(Architecture("small", "w+", 8, 8, 2, 3))


def pairs(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(4, 3, 8, 8, generator=generator), torch.randn(4, 2, 3, generator=generator)


def test_the_discriminators_loss_is_logistic_with_a_penalty_of_the_gradient(
    discriminator: Discriminator,
) -> None:
    true, made = pairs(1), pairs(2)
    x, c = (part.clone().requires_grad_(True) for part in true)
    logits = discriminator(x, c)
    gx, gc = torch.autograd.grad(logits.sum(), (x, c))
    penalty = gx.square().sum() / 4 + gc.square().sum() / 4
    plain = (
        (1 + (-logits).exp()).log().mean()
        + (1 + discriminator(*made).exp()).log().mean()
        + GAMMA / 2 * penalty
    )
    assert discriminator_loss(discriminator, true, made).item() == pytest.approx(plain.item(), rel=1e-4)
    assert penalty.item() > 1e-6


def test_the_discriminator_sends_no_gradient_to_the_encoder_but_deceit_does(
    discriminator: Discriminator,
) -> None:
    x, c = pairs(3)
    c.requires_grad_(True)
    discriminator_loss(discriminator, pairs(1), (x, c)).backward()
    assert c.grad is None
    adversarial_loss(discriminator, x, c).backward()
    assert c.grad is not None
    assert c.grad.abs().sum() > 0


def test_the_discriminator_looks_at_both_picture_and_code(discriminator: Discriminator) -> None:
    (x, c), (other, code) = pairs(1), pairs(2)
    assert not torch.allclose(discriminator(x, c), discriminator(other, c))
    assert not torch.allclose(discriminator(x, c), discriminator(x, code))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"size": "huge"}, "size .* must be small, base; got huge"),
        ({"space": "s"}, "space of an encoder's training"),
        ({"pictures": 0}, "pictures .* at least 1; got 0"),
        ({"batch": 0}, "batch"),
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"learning_rate": math.nan}, "learning_rate"),
        ({"mixing": 1.5}, "mixing"),
        ({"real_share": 1.0}, "real_share"),
        ({"real_from": -0.1}, "real_from"),
        ({"minutes": 0.0}, "minutes"),
        ({"weights": LossWeights(pixel=-1.0)}, r"weights\.pixel"),
        ({"weights": LossWeights(latent=0.0, pixel=0.0, perceptual=0.0)}, "nothing would be learnt"),
    ],
)
def test_values_that_are_not_allowed_are_named(values: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        EncoderRequest(**values)  # type: ignore[arg-type]
