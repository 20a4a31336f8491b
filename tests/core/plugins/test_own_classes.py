"""Classes of this process as plugins, without a distribution."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ganstrata
import numpy as np
import pytest
import torch
from ganstrata import Concept, Inversion, InversionTask, Inverter, Rendering, Scorer
from ganstrata.core.errors import ConfigError, PluginConflict, UserError
from torch import Tensor


class Redness(Scorer):
    """Mean of the red channel."""

    concepts = (Concept("red", "colour"),)

    def score(self, rendering: Rendering) -> Tensor:
        return rendering.images[:, :1].mean(dim=(2, 3))


@pytest.fixture
def own_config(register, config: dict[str, Any]) -> dict[str, Any]:
    """A config of a run with Redness; `register` forgets the class after the test."""
    ganstrata.register("scorer", "redness", Redness)
    config["scorers"] = [{"use": "redness"}]
    config["concepts"] = {"include": ["*"]}
    return config


def test_a_run_finds_it_and_has_one_process(fakes, own_config: dict[str, Any], tmp_path: Path) -> None:
    own_config["engine"] = {"workers": "auto"}
    run = ganstrata.run(own_config, tmp_path / "run")
    assert run.manifest["plugins"]["scorer redness"] == "this process"
    assert run.effects.factor_names == ["redness/red"]


def test_workers_are_refused_before_anything_is_written(
    fakes, own_config: dict[str, Any], tmp_path: Path
) -> None:
    own_config["engine"] = {"workers": 2}
    with pytest.raises(ConfigError, match=r"workers: must be 1 or auto, because .*: scorer 'redness'\."):
        ganstrata.run(own_config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_cell_of_a_notebook_may_run_again(register) -> None:
    for _ in range(2):
        ganstrata.register("scorer", "redness", Redness)
    assert isinstance(ganstrata.load_scorer("redness", device="cpu"), Redness)


class Zero(Inverter):
    """Answer every picture with the codes of z = 0."""

    step = "embed"
    needs_gradients = False

    def invert(self, task: InversionTask, start: Inversion | None) -> Inversion:
        generator = task.generator
        z = torch.zeros(len(task.pictures), generator.card.latent_size)
        return Inversion(generator.broadcast(generator.map(z)), latent=z, space="z")


def test_an_inversion_finds_a_step_of_this_process(register, fakes) -> None:
    ganstrata.register("inverter", "zero", Zero)
    generator = ganstrata.load_generator("fake_layers", device="cpu")
    wanted = np.zeros((16, 16, 3), dtype=np.uint8)
    found = ganstrata.invert(wanted, generator, embed="zero", refine="none", perceptual="none")
    expected = generator.broadcast(generator.map(torch.zeros(1, generator.card.latent_size)))
    torch.testing.assert_close(found.codes, expected)


@pytest.mark.parametrize(
    ("kind", "name", "plugin", "words"),
    [
        ("scorr", "mine", Redness, "Did you mean 'scorer'?"),
        ("scorer", "my scorer", Redness, "letters, digits and underscores"),
        ("generator", "auto", Redness, "no generator can be called 'auto'"),
        ("generator", "mine", Redness, "is not a subclass of ganstrata.Generator"),
    ],
)
def test_what_cannot_be_registered(register, kind: Any, name: str, plugin: type, words: str) -> None:
    with pytest.raises(UserError) as caught:
        ganstrata.register(kind, name, plugin)
    assert words in str(caught.value)


def test_the_name_of_an_installed_plugin_is_taken(register) -> None:
    with pytest.raises(PluginConflict, match="scorer 'hue' is installed already, by ganstrata "):
        ganstrata.register("scorer", "hue", Redness)
