"""StyleGAN2: what no file of GenForce or rosinality states, and the config may."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from ganstrata.core.checkpoints import Part
from ganstrata.core.errors import CheckpointError
from ganstrata.plugins.generators.stylegan2.generator import StyleGAN2
from generator_files import codes_of, images_of, loader, write
from generators_stylegan2 import small_state

load = loader("stylegan2")


def test_tanh_is_applied_to_the_picture(tmp_path: Path) -> None:
    path = write(tmp_path / "a.safetensors", small_state("genforce"))
    plain = images_of(load(path)) * 2.0 - 1.0
    assert (images_of(load(path, final_tanh=True)) * 2.0 - 1.0 - torch.tanh(plain)).abs().max() < 1e-6


def test_the_mappings_multiplier_is_that_of_the_config(tmp_path: Path) -> None:
    path = write(tmp_path / "a.safetensors", small_state("rosinality"))
    stated = write(tmp_path / "b.safetensors", small_state("nvidia"), mapping_kwargs={"lr_multiplier": 0.3})
    assert (codes_of(load(path, lr_mlp=0.3)) - codes_of(load(stated))).abs().max() < 1e-5
    assert (codes_of(load(path)) - codes_of(load(stated))).abs().max() > 1e-3
    with pytest.raises(CheckpointError, match=r"lr_mlp: 0\.5 is configured, but the file states 0\.3"):
        load(stated, lr_mlp=0.5)


def test_weights_without_scales_give_what_scaled_ones_give(tmp_path: Path) -> None:
    scaled = small_state("nvidia")
    unscaled = {
        name: tensor / math.sqrt(tensor[0].numel())
        if name.endswith(".weight") and not name.endswith((".conv0.weight", ".conv1.weight"))
        else tensor
        for name, tensor in scaled.items()
    }
    wanted = images_of(load(write(tmp_path / "a.safetensors", scaled)))
    got = images_of(load(write(tmp_path / "b.safetensors", unscaled), use_wscale=False))
    assert (got - wanted).abs().max() < 1e-4


@pytest.mark.parametrize(("layout", "count"), [("genforce", 3), ("rosinality", 1), ("nvidia", 0)])
def test_what_is_assumed_is_told(layout: str, count: int) -> None:
    examined = StyleGAN2.examine(Part("", small_state(layout), {}))
    assert examined is not None
    assert sum("(config:" in told for told in examined.assumed.values()) == count
