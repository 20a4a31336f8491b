"""The same numbers as NVIDIA's stylegan2-ada-pytorch, on random weights in its own layout.

`tests/data/stylegan2_*.safetensors` hold the state dicts, the `.npz` beside them what the reference
made of the inputs: w within 1e-5, images in [-1, 1] within 1e-4.
"""

from __future__ import annotations

import ganstrata
import pytest
import torch
from ganstrata import Generator, Pass, render
from reference_numbers import DATA, as_reference, reference, tensor
from torch import Tensor

NAMES = ("stylegan2_uncond_32", "stylegan2_cond_64")
CUTOFF = {"stylegan2_uncond_32": 4, "stylegan2_cond_64": 5}


def load(name: str, **config: object) -> Generator:
    return ganstrata.load_generator(
        "stylegan2", checkpoint=str(DATA / f"{name}.safetensors"), device="cpu", **config
    )


def w_of(generator: Generator, name: str) -> Tensor:
    return generator.map(tensor(name, "z"), tensor(name, "c") if "c" in reference(name) else None)


def assert_near(actual: Tensor, name: str, key: str, tolerance: float) -> None:
    expected = tensor(name, key)
    assert actual.shape == expected.shape
    assert expected.std() > 0.1, "the reference itself says nothing"
    assert (actual - expected).abs().max() < tolerance


@pytest.mark.parametrize("name", NAMES)
def test_w_is_that_of_the_reference(name: str) -> None:
    generator = load(name)
    assert_near(generator.broadcast(w_of(generator, name)), name, "ws", 1e-5)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("key", "psi", "cut"), [("psi0.7", 0.7, False), ("psi0.5_cutoff", 0.5, True)])
def test_truncated_codes_and_images_are_those_of_the_reference(
    name: str, key: str, psi: float, cut: bool
) -> None:
    generator = load(name, truncation_psi=psi, truncation_layers=CUTOFF[name] if cut else None)
    codes = generator.broadcast(w_of(generator, name))
    assert_near(codes, name, f"ws_{key}", 1e-5)
    assert_near(as_reference(render(generator, codes)), name, f"image_{key}", 1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_images_are_those_of_the_reference(name: str) -> None:
    generator = load(name)
    images = render(generator, generator.broadcast(w_of(generator, name)))
    assert_near(as_reference(images), name, "image", 1e-4)
    pixels = (as_reference(images) * 127.5 + 128.0).clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)
    assert (pixels.int() - tensor(name, "image_uint8").int()).abs().max() <= 1


@pytest.mark.parametrize("name", NAMES)
def test_images_of_a_code_per_layer_are_those_of_the_reference(name: str) -> None:
    assert_near(as_reference(render(load(name), tensor(name, "ws_in"))), name, "image_from_ws_in", 1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_images_without_noise_are_those_of_the_reference(name: str) -> None:
    generator = load(name, noise="none")
    codes = generator.broadcast(w_of(generator, name))
    assert_near(as_reference(render(generator, codes)), name, "image_noise_none", 1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_styles_of_every_stratum_are_those_of_the_reference(name: str) -> None:
    generator = load(name)
    codes = generator.broadcast(w_of(generator, name))
    for s, stratum in enumerate(generator.strata):
        assert stratum.reads is not None
        style = generator.style(s, codes[:, stratum.reads])
        assert style is not None
        assert_near(style, name, f"style.synthesis.{stratum.name}.affine", 1e-4)
        assert style.shape[1] == stratum.style_width


def test_feature_maps_of_every_convolution_are_those_of_the_reference() -> None:
    name = "stylegan2_uncond_32"
    generator = load(name)
    wanted = [s for s, stratum in enumerate(generator.strata) if stratum.is_feature]
    codes = generator.broadcast(w_of(generator, name))
    features = Pass(generator, codes, features=wanted).rendering.features
    assert len(wanted) == 7
    for s in wanted:
        assert_near(features[s][:1], name, f"feat.synthesis.{generator.strata[s].name}", 1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_style_weights_are_the_slope_of_the_style(name: str) -> None:
    generator = load(name)
    codes = generator.broadcast(w_of(generator, name))
    for s in range(len(generator.strata)):
        weights = generator.style_weights(s)
        assert weights is not None
        first, second = (generator.style(s, codes[i : i + 1, 0]) for i in (0, 1))
        assert first is not None
        assert second is not None
        assert torch.allclose(first - second, (codes[:1, 0] - codes[1:, 0]) @ weights.t(), atol=1e-4)


def test_an_edited_style_takes_the_place_of_the_affine() -> None:
    name = "stylegan2_uncond_32"
    generator = load(name)
    codes = generator.broadcast(w_of(generator, name))
    state = generator.begin(ganstrata.Inputs(2, None, torch.arange(2)))
    style = generator.style(0, codes[:, 0])
    assert style is not None
    by_code = generator.stratum(0, state, codes[:, 0]).x
    by_style = generator.stratum(0, state, None, style).x
    assert by_code is not None
    assert by_style is not None
    assert torch.equal(by_code, by_style)
    other = generator.stratum(0, state, codes[:, 0], style + 1.0).x
    assert other is not None
    assert not torch.allclose(by_code, other)
