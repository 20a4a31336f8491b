"""Damaged networks of other libraries: each makes pictures, or a message names the file and says why not."""

from __future__ import annotations

import os
from pathlib import Path

import ganstrata
import pytest
import torch
from ganstrata.core.checkpoints import Part
from ganstrata.core.errors import CheckpointError
from ganstrata.plugins.generators.stylegan.generator import StyleGAN
from generator_files import write
from generators_stylegan_pytorch import rosinality
from hostile_networks import damaged_network, sound
from hostile_reader import rendered
from hostile_runs import fuzz
from hostile_states import STATES

FEW = 30  # each is inspected, loaded, checked and rendered: 0.2 s to 0.4 s


def test_damaged_networks(tmp_path: Path) -> None:
    fuzz(damaged_network, 1, range(FEW), tmp_path)


@pytest.mark.full
@pytest.mark.timeout(4 * 3600)
def test_many_damaged_networks(tmp_path: Path) -> None:
    fuzz(damaged_network, int(os.environ.get("GANSTRATA_FUZZ_SEED", "2")), range(10_000), tmp_path)


def test_a_seed_makes_the_same_files_again() -> None:
    for number in range(12):
        (kind, suffix, content), again = damaged_network(5, number), damaged_network(5, number)
        assert (kind, suffix) == again[:2]
        assert content == again[2] or kind == "pickle", (
            "torch numbers the storages of a pickle by their addresses"
        )


@pytest.mark.parametrize("name", STATES)
def test_they_are_sound_before_they_are_damaged(name: str, tmp_path: Path) -> None:
    state, settings = sound(name)[0]
    rendered(write(tmp_path / "a.safetensors", state, **settings))


def test_a_mean_without_numbers_is_no_mean_of_a_network_with_classes() -> None:
    (_, _), (state, settings) = sound("rosinality")
    state = state | {"mapping.labels": torch.ones(3, state["mapping.layers.0.weight"].shape[1] // 2)}
    state["mapping.w_avg"] = torch.zeros(0)
    examined = StyleGAN.examine(Part("", state, {key: settings[key] for key in ("plugin", "layout")}))
    assert examined is not None
    assert any("mapping.w_avg" in fault for fault in examined.faults)


def test_weights_that_make_no_finite_picture_are_told_with_their_file(tmp_path: Path) -> None:
    state = {name: tensor * 1e30 for name, tensor in rosinality().items()}
    path = write(tmp_path / "a.safetensors", state)
    with pytest.raises(CheckpointError, match="not finite") as error:
        ganstrata.load_generator("auto", checkpoint=str(path), device="cpu")
    assert str(path) in str(error.value)
