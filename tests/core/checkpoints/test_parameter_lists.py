"""Averages that are stored as lists of parameters, as FastGAN's training does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from ganstrata.core.checkpoints import read_checkpoint
from torch import nn

from tests.generators_stylegan2 import small_state


def network() -> nn.Module:
    """A network with everything that a FastGAN has: parameters, statistics, counters, singular vectors."""
    convolution = nn.utils.spectral_norm(nn.Conv2d(3, 4, 3))
    return nn.Sequential(convolution, nn.BatchNorm2d(4), nn.Conv2d(4, 3, 1))


def saved(path: Path, **content: Any) -> Path:
    torch.save(content, path)
    return path


def test_parameters_take_the_names_of_their_network_and_its_statistics(tmp_path: Path) -> None:
    trained, average = network(), network()
    values = [parameter.data for parameter in average.parameters()]
    path = saved(tmp_path / "all_1.pth", g=trained.state_dict(), d=network().state_dict(), g_ema=values)
    first, second, *_ = read_checkpoint(path).parts
    assert (first.name, second.name) == ("g_ema", "g")
    named = dict(average.named_parameters())
    for name, tensor in trained.state_dict().items():
        assert torch.equal(first.tensors[name], named.get(name, tensor)), name
    assert any("stored without names" in note for note in first.notes)


def test_a_list_of_parameters_finds_its_network_behind_a_prefix(tmp_path: Path) -> None:
    average = network()
    state = {f"module.{name}": tensor for name, tensor in network().state_dict().items()}
    values = [parameter.data for parameter in average.parameters()]
    (first, *_) = read_checkpoint(saved(tmp_path / "a.pth", g=state, g_ema=values)).parts
    assert first.name == "g_ema"
    assert torch.equal(first.tensors["2.weight"], average.state_dict()["2.weight"])


@pytest.mark.parametrize("name", ["ema", "g_ema"])
def test_averages_of_torch_ema_and_diffusers(tmp_path: Path, name: str) -> None:
    """Their dictionary does not say of which network it is; the parameters do."""
    trained, average = network(), network()
    held = {"decay": 0.999, "num_updates": 5, "shadow_params": list(average.parameters())}
    path = saved(tmp_path / "a.pt", d=nn.Linear(2, 2).state_dict(), g=trained.state_dict(), **{name: held})
    first, *_ = read_checkpoint(path).parts
    assert first.name == name
    assert torch.equal(first.tensors["2.weight"], average.state_dict()["2.weight"])


def test_filters_noise_and_mean_codes_are_no_parameters(tmp_path: Path) -> None:
    state = small_state("rosinality")
    buffers = re.compile(r".*\.kernel|noises\..*|latent_avg")
    values = [tensor + 1.0 for name, tensor in state.items() if not buffers.fullmatch(name)]
    path = saved(tmp_path / "a.pt", g=state, g_ema=values)
    first, *_ = read_checkpoint(path).parts
    assert first.name == "g_ema"
    assert torch.equal(first.tensors["style.1.weight"], state["style.1.weight"] + 1.0)


@pytest.mark.parametrize("fault", ["one too few", "another shape", "no tensor", "another network"])
def test_a_list_that_does_not_fit_is_left_out(fault: str, tmp_path: Path) -> None:
    values: list[Any] = [parameter.data for parameter in network().parameters()]
    if fault == "one too few":
        del values[2]
    elif fault != "another network":
        values[1] = torch.zeros(7) if fault == "another shape" else "text"
    name = "h_ema" if fault == "another network" else "g_ema"
    checkpoint = read_checkpoint(saved(tmp_path / "a.pth", g=network().state_dict(), **{name: values}))
    (part,) = checkpoint.parts
    assert part.name == "g"
    assert f"the average {name} is not used: its {len(values)} parameters are stored without" in part.notes[0]
