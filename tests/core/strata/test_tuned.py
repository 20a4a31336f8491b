"""Weights that are added to a generator for a while."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import torch
from fakes import Layered
from ganstrata import render
from ganstrata.core.errors import MismatchError
from ganstrata.core.strata.tuned import tuned
from torch import Tensor


class Tunable(Layered):
    """Its texture may be tuned."""

    @property
    def tunable(self) -> Mapping[str, Tensor]:
        """The texture."""
        return {"texture": self.texture}


@pytest.fixture
def generator() -> Tunable:
    return Tunable(Tunable.Config(), torch.device("cpu"))


def test_what_is_added_acts_inside_and_is_gone_afterwards(generator: Tunable) -> None:
    codes = generator.broadcast(generator.sample(2, 0, 0, 3).z)
    before, texture = render(generator, codes), generator.texture.clone()
    delta = {"texture": torch.full_like(texture, 0.7)}
    with tuned(generator, delta):
        inside = render(generator, codes)
        torch.testing.assert_close(generator.texture, texture + 0.7)
    assert not torch.equal(inside, before)
    assert torch.equal(generator.texture, texture)  # exactly: subtracting would leave rounding errors
    assert torch.equal(render(generator, codes), before)


def test_an_error_inside_leaves_nothing_behind(generator: Tunable) -> None:
    texture = generator.texture.clone()
    with (
        pytest.raises(ValueError, match="inside"),
        tuned(generator, {"texture": torch.ones_like(texture)}),
    ):
        raise ValueError("inside")
    assert torch.equal(generator.texture, texture)


@pytest.mark.parametrize(
    ("delta", "message"),
    [
        ({"texture": torch.zeros(1), "other": torch.zeros(1)}, "tuned weights are for other"),
        ({"texture": torch.zeros(1)}, r"have the shape \(1,\); that of .* is \(8, 16, 192\)"),
    ],
)
def test_weights_of_another_generator_are_refused(
    generator: Tunable, delta: dict[str, Tensor], message: str
) -> None:
    texture = generator.texture.clone()
    with pytest.raises(MismatchError, match=message), tuned(generator, delta):
        pass
    assert torch.equal(generator.texture, texture)


def test_no_weights_change_nothing_for_any_generator() -> None:
    plain = Layered(Layered.Config(), torch.device("cpu"))
    with tuned(plain, {}):
        pass
    assert plain.tunable == {}
