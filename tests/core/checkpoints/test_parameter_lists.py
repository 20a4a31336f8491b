"""Averages that are stored as lists of parameters, as FastGAN's training does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from ganstrata.core.checkpoints import read_checkpoint
from torch import nn


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


@pytest.mark.parametrize("fault", ["one too few", "another shape", "no tensor", "another network"])
def test_a_list_that_does_not_fit_is_left_out(fault: str, tmp_path: Path) -> None:
    values: list[Any] = [parameter.data for parameter in network().parameters()]
    if fault == "one too few":
        del values[2]
    elif fault != "another network":
        values[1] = torch.zeros(7) if fault == "another shape" else "text"
    name = "h_ema" if fault == "another network" else "g_ema"
    checkpoint = read_checkpoint(saved(tmp_path / "a.pth", g=network().state_dict(), **{name: values}))
    assert [part.name for part in checkpoint.parts] == ["g"]
