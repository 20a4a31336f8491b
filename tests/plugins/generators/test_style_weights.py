"""`style_weights` of every built-in family is the slope of what its strata make of codes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import ganstrata
import pytest
import torch
from built_in_plugins import GENERATORS
from ganstrata import Generator

# A module does not say which of its matrices are affine; the texts' part of StyleGAN-T depends on the class.
WITHOUT = {"a module", "a module with styles", "StyleGAN-T"}
LINEAR: dict[str, Callable[[Any, torch.Tensor], torch.Tensor]] = {
    # What the first layer makes of z before its normalisation, for families without a style there.
    "FastGAN": lambda network, z: _convolved(z, network.init.conv.folded),
    "lightweight-gan": lambda network, z: _convolved(z, network.initial.weight),
}


def _convolved(z: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.conv_transpose2d(z[:, :, None, None], weight).flatten(1)


def built(label: str, folder: Path) -> Generator:
    plugin, config = GENERATORS[label]
    return ganstrata.load_generator(plugin, device="cpu", **config(folder))


@pytest.mark.parametrize("label", [label for label in GENERATORS if label not in {*WITHOUT, *LINEAR}])
def test_they_are_the_finite_differences_of_the_styles(label: str, tmp_path: Path) -> None:
    generator = built(label, tmp_path)
    size, seen = generator.card.code_size, 0
    for s in range(len(generator.strata)):
        weights = generator.style_weights(s)
        code = torch.randn(2, size)
        styles = generator.style(s, code)
        if weights is None or styles is None:
            continue
        assert weights.shape == (styles.shape[1], size)
        assert weights.any()
        step = torch.randn(2, size)
        after = generator.style(s, code + step)
        assert after is not None
        torch.testing.assert_close(after - styles, step @ weights.t(), rtol=1e-4, atol=2e-5)
        seen += 1
    # ProgressiveGAN has the weights of its first layer, and no style: test_pggan_parity.py compares them.
    assert seen or label == "ProgressiveGAN"


@pytest.mark.parametrize("label", LINEAR)
def test_they_are_the_first_layer_of_networks_without_styles(label: str, tmp_path: Path) -> None:
    generator: Any = built(label, tmp_path)
    z = torch.randn(3, generator.card.code_size)
    weights = generator.style_weights(0)
    torch.testing.assert_close(z @ weights.t(), LINEAR[label](generator.network, z), rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("label", sorted(WITHOUT))
def test_the_others_say_that_they_have_none(label: str, tmp_path: Path) -> None:
    generator = built(label, tmp_path)
    assert all(generator.style_weights(s) is None for s in range(len(generator.strata)))
