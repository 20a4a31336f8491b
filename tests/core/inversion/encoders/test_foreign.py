"""Encoders of pSp, e4e and in-domain inversion, in the layout of their files."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import ganstrata
import pytest
import torch
import torch.nn.functional as F
from foreign_encoders import (
    in_domain_state,
    plain_in_domain,
    plain_pyramid,
    pyramid_state,
)
from ganstrata.core.errors import CheckpointError, MismatchError
from ganstrata.core.inversion.encoders.encoder_file import load_encoder
from generators_stylegan import small_state as stylegan_state
from generators_stylegan2 import small_state
from torch import Tensor

STEPS = (1, 1, 2, 2, 3, 3)  # of 6 layers; pictures of 2^(4 + 1) pixels
SIZE = 32
CODE = 5


def prefixed(prefix: str, state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {prefix + name: tensor for name, tensor in state.items()}


def decoder() -> dict[str, Tensor]:
    """A generator as it lies beside an encoder; its mean code has a place of its own in the file."""
    return {name: t for name, t in small_state("rosinality").items() if name != "latent_avg"}


def write(path: Path, kind: object = "Encoder4Editing", colours: int = 3, **changes: Any) -> Path:
    content: dict[str, Any] = {
        "state_dict": {
            **prefixed("encoder.", pyramid_state(STEPS, CODE, colours)),
            **prefixed("decoder.", decoder()),
        },
        "latent_avg": torch.linspace(-1.0, 1.0, CODE),
        "opts": {"encoder_type": kind, "stylegan_size": 16, "start_from_latent_avg": True},
    }
    content["state_dict"] |= changes.pop("state", {})
    torch.save({key: value for key, value in {**content, **changes}.items() if value is not None}, path)
    return path


def generator_of(path: Path) -> ganstrata.Generator:
    return ganstrata.load_generator("auto", checkpoint=str(path), device="cpu", check=False)


def pictures(size: int = SIZE, n: int = 2) -> Tensor:
    return torch.rand(n, 3, size, size, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("kind", ["Encoder4Editing", "GradualStyleEncoder"])
def test_codes_are_those_of_the_plain_definition(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path / "e.pt", kind)
    x = pictures()
    codes = load_encoder(str(path), generator_of(path))(x)
    plain = plain_pyramid(pyramid_state(STEPS, CODE), 2.0 * x - 1.0, deltas=kind == "Encoder4Editing")
    torch.testing.assert_close(codes, plain + torch.linspace(-1.0, 1.0, CODE), rtol=1e-4, atol=1e-4)
    assert load_encoder(str(path), generator_of(path)).sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert codes.std() > 0.1


def test_a_mean_per_layer_is_added_layer_by_layer(tmp_path: Path) -> None:
    mean = torch.arange(6.0)[:, None].expand(6, CODE).contiguous()
    path = write(tmp_path / "e.pt", latent_avg=mean)
    x = pictures()
    codes = load_encoder(str(path), generator_of(path))(x)
    plain = plain_pyramid(pyramid_state(STEPS, CODE), 2.0 * x - 1.0, deltas=True)
    torch.testing.assert_close(codes - plain, mean.expand(2, -1, -1), rtol=1e-3, atol=1e-3)


def test_no_mean_is_added_where_training_added_none(tmp_path: Path) -> None:
    opts = {"encoder_type": "GradualStyleEncoder", "start_from_latent_avg": False}
    path = write(tmp_path / "e.pt", opts=opts)
    x = pictures()
    codes = load_encoder(str(path), generator_of(path))(x)
    plain = plain_pyramid(pyramid_state(STEPS, CODE), 2.0 * x - 1.0, deltas=False)
    torch.testing.assert_close(codes, plain, rtol=1e-4, atol=1e-4)


def test_pictures_of_another_size_are_resized(tmp_path: Path) -> None:
    path = write(tmp_path / "e.pt")
    encoder = load_encoder(str(path), generator_of(path))
    x = pictures(64)
    small = F.interpolate(x, (SIZE, SIZE), mode="bilinear", align_corners=False, antialias=True)
    torch.testing.assert_close(encoder(x), encoder(small))


def test_gradients_reach_the_pictures(tmp_path: Path) -> None:
    path = write(tmp_path / "e.pt")
    x = pictures().requires_grad_(True)
    load_encoder(str(path), generator_of(path))(x).square().sum().backward()
    assert x.grad is not None
    assert x.grad.abs().sum() > 0


def test_the_same_generator_in_a_file_of_its_own_is_accepted(tmp_path: Path) -> None:
    path = write(tmp_path / "e.pt")
    alone = tmp_path / "g.pt"
    torch.save({"g_ema": decoder(), "latent_avg": torch.linspace(-1.0, 1.0, CODE)}, alone)
    assert load_encoder(str(path), generator_of(alone))(pictures()).shape == (2, 6, CODE)


def test_another_generator_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "e.pt")
    other = tmp_path / "g.pt"
    torch.save({"g_ema": small_state("rosinality", seed=5)}, other)
    with pytest.raises(MismatchError, match="stored beside it, not for"):
        load_encoder(str(path), generator_of(other))


def test_a_generator_of_another_size_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "e.pt")
    other = tmp_path / "g.pt"
    torch.save({"g_ema": small_state("rosinality", channels={4: 6, 8: 5})}, other)
    with pytest.raises(MismatchError, match=r"6 codes of 5.*takes 4 codes of 5"):
        load_encoder(str(path), generator_of(other))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "BackboneEncoder"}, "encoder_type is 'BackboneEncoder'"),
        ({"opts": None}, "encoder_type is None"),
        ({"colours": 6}, "takes 6 channels"),
        ({"state": {"encoder.latlayer2.bias": torch.zeros(3)}}, "latlayer2.bias is"),
        ({"state": {"encoder.latlayer2.bias": torch.full((12,), torch.nan)}}, "not finite"),
        ({"state": {"encoder.body.3.res_layer.5.fc1.weight": torch.zeros(0, 10, 1, 1)}}, "squeeze"),
        ({"latent_avg": torch.zeros(3, CODE)}, "latent_avg is"),
    ],
)
def test_what_is_amiss_is_named(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    whole = write(tmp_path / "whole.pt")
    path = write(tmp_path / "e.pt", **changes)
    # The mean is part of the generator too, so that one without it is another.
    generator = generator_of(path if "latent_avg" in changes and "opts" not in changes else whole)
    with pytest.raises(CheckpointError, match=message):
        load_encoder(str(path), generator)


def test_a_file_without_an_encoder_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "g.pt"
    torch.save({"g_ema": small_state("rosinality")}, path)
    with pytest.raises(CheckpointError, match="holds no encoder that is known here"):
        load_encoder(str(path), generator_of(path))


@pytest.fixture
def in_domain_generator(tmp_path: Path) -> ganstrata.Generator:
    path = tmp_path / "stylegan.pth"
    torch.save(stylegan_state(), path)
    return generator_of(path)


@pytest.mark.parametrize("normalised", [True, False])
@pytest.mark.parametrize("counted", [True, False])
def test_in_domain_codes_are_those_of_the_plain_definition(
    tmp_path: Path, in_domain_generator: ganstrata.Generator, normalised: bool, counted: bool
) -> None:
    card = in_domain_generator.card
    widths = [4, 6, 6, 8][: card.resolution.bit_length() - 2]
    state = in_domain_state(widths, card.layers * card.code_size, normalised=normalised)
    if not counted:
        state = {name: t for name, t in state.items() if "num_batches" not in name}
    path = tmp_path / "encoder.pth"
    torch.save(state, path)
    x = pictures(card.resolution)
    codes = load_encoder(str(path), in_domain_generator)(x)
    plain = plain_in_domain(state, 2.0 * x - 1.0).view(2, card.layers, card.code_size)
    torch.testing.assert_close(codes, plain, rtol=1e-4, atol=1e-4)


def test_an_in_domain_encoder_of_another_size_is_refused(
    tmp_path: Path, in_domain_generator: ganstrata.Generator
) -> None:
    card = in_domain_generator.card
    path = tmp_path / "encoder.pth"
    torch.save(in_domain_state([4, 6, 6, 8, 8, 8], card.layers * card.code_size, normalised=True), path)
    with pytest.raises(MismatchError, match="128 x 128 pixels"):
        load_encoder(str(path), in_domain_generator)
    torch.save(in_domain_state([4, 6], card.layers * card.code_size + 1, normalised=True), path)
    with pytest.raises(MismatchError, match="numbers together"):
        load_encoder(str(path), in_domain_generator)
