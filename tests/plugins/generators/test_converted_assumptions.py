"""What a file leaves open stays open in the converted file: it is told, and the config may say it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import generators_fastgan
import generators_grown
import generators_mobile
import generators_pggan
import generators_stylegan
import generators_stylegan2
import generators_stylegan3
import generators_stylegan_pytorch
import pytest
import torch
from ganstrata.core.checkpoints.convert import convert
from ganstrata.core.checkpoints.inspect import inspect
from ganstrata.core.errors import CheckpointError
from generator_files import images_of, loader, write
from hostile_states import STATES, settings_of
from safetensors import safe_open
from torch import Tensor

State = dict[str, Tensor]
# A file of each family that leaves fields of the config open, and another value for each of these.
OPEN: dict[str, tuple[str, Callable[[], State], Mapping[str, Any]]] = {
    "StyleGAN, GenForce": (
        "stylegan",
        lambda: generators_stylegan.small_state("genforce", None),
        {"final_tanh": True, "use_wscale": False, "lr_mlp": 0.5},
    ),
    "StyleGAN, HiGAN": (
        "stylegan",
        lambda: generators_stylegan.small_state("higan", None),
        {"final_tanh": True, "use_wscale": False, "lr_mlp": 0.5},
    ),
    "StyleGAN, rosinality": (
        "stylegan",
        generators_stylegan_pytorch.rosinality,
        {"final_tanh": True, "lr_mlp": 0.5},
    ),
    "StyleGAN, the zoo": ("stylegan", generators_stylegan_pytorch.zoo, {"final_tanh": True, "lr_mlp": 0.5}),
    "StyleGAN2, GenForce": (
        "stylegan2",
        lambda: generators_stylegan2.small_state("genforce"),
        {"final_tanh": True, "use_wscale": False, "lr_mlp": 0.5},
    ),
    "StyleGAN2, rosinality": (
        "stylegan2",
        lambda: generators_stylegan2.small_state("rosinality"),
        {"final_tanh": True, "lr_mlp": 0.5},
    ),
    "StyleGAN3": (
        "stylegan3",
        lambda: generators_stylegan3.small_state(),
        {"output_scale": 0.5, "conv_clamp": 0.01, "lr_mlp": 0.5},
    ),
    "ProgressiveGAN, GenForce": (
        "pggan",
        lambda: generators_pggan.small_state("genforce", None),
        {"final_tanh": True, "use_wscale": False},
    ),
    "ProgressiveGAN, the zoo": ("pggan", generators_grown.zoo, {"final_tanh": True}),
    "ProgressiveGAN, pro_gan": ("pggan", generators_grown.pro_gan, {"final_tanh": True}),
    "FastGAN": ("fastgan", lambda: generators_fastgan.small_state(), {"final_tanh": True}),
    "MobileStyleGAN": ("mobile_stylegan", lambda: generators_mobile.small_state(), {"lr_mlp": 0.5}),
}


@pytest.mark.parametrize("name", OPEN)
def test_what_was_assumed_stays_open(name: str, tmp_path: Path) -> None:
    plugin, state, values = OPEN[name]
    source = write(tmp_path / "source.safetensors", state())
    converted = convert(str(source), tmp_path / "converted.safetensors").path
    told = inspect(str(source)).assumptions
    again = inspect(str(converted)).assumptions
    assert sorted(line for line in told if "(config: " in line) == sorted(
        line for line in again if "(config: " in line
    )
    load = loader(plugin)
    unchanged = images_of(load(source))
    assert torch.equal(images_of(load(converted)), unchanged)
    for field, value in values.items():
        before, after = load(source, **{field: value}), load(converted, **{field: value})
        pictures = images_of(before)
        assert (images_of(after) - pictures).abs().max() < 1e-5
        assert (pictures - unchanged).abs().max() > 1e-4, f"{field} changes nothing"
        assert before.fingerprint == after.fingerprint
        sentence = f"(config: {field})"
        said = [line for line in (*before.card.assumptions, *after.card.assumptions) if sentence in line]
        assert all("taken for fully grown" in line for line in said), "what the config says is not assumed"


def test_what_the_file_states_stays_stated(tmp_path: Path) -> None:
    state = generators_stylegan2.small_state("nvidia")
    source = write(tmp_path / "a.safetensors", state, mapping_kwargs={"lr_multiplier": 0.3})
    converted = convert(str(source), tmp_path / "b.safetensors").path
    with safe_open(converted, framework="pt") as file:
        header = json.loads(file.metadata()["ganstrata"])
    assert "lr_mlp" not in header["assumed"]
    with pytest.raises(CheckpointError, match=r"lr_mlp: 0\.5 is configured, but the file states 0\.3"):
        loader("stylegan2")(converted, lr_mlp=0.5)


def test_a_choice_that_changed_the_weights_is_closed(tmp_path: Path) -> None:
    source = write(tmp_path / "a.safetensors", generators_grown.pro_gan())
    converted = convert(str(source), tmp_path / "b.safetensors").path
    with pytest.raises(CheckpointError, match=r"use_wscale: .* give the one that it was made from"):
        loader("pggan")(converted, use_wscale=False)


@pytest.mark.parametrize("assumed", [7, ["lr_mlp"], {"lr_mlp": 3}, {"no_field": "x"}])
def test_a_header_that_lists_no_fields_leaves_nothing_open(assumed: object, tmp_path: Path) -> None:
    header = {"network": {"lr_multiplier": 0.3}, "assumed": assumed}
    path = write(tmp_path / "a.safetensors", generators_stylegan2.small_state("nvidia"), **header)
    with pytest.raises(CheckpointError, match=r"the file states 0\.3"):
        loader("stylegan2")(path, lr_mlp=0.5)


@pytest.mark.parametrize("name", STATES)
def test_every_sentence_is_kept(name: str, tmp_path: Path) -> None:
    source = write(tmp_path / "a.safetensors", STATES[name](), **settings_of(name))
    converted = convert(str(source), tmp_path / "b.safetensors").path
    assert set(inspect(str(source)).assumptions) <= set(inspect(str(converted)).assumptions)
