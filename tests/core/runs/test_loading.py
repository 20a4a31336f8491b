"""Plugins built by name: options checked first, then the class."""

from __future__ import annotations

import ganstrata
import pytest
import torch
from ganstrata import Concept, PluginConfig, Rendering
from ganstrata.core.errors import ConfigError, PluginConflict, PluginNotFound, UserError
from ganstrata.core.runs.loading import build
from pydantic import Field
from torch import Tensor


class Configured(ganstrata.Scorer):
    """Records its config and device."""

    class Config(PluginConfig):
        level: int = Field(default=3, ge=0, description="any number")
        name: str = Field(description="a name")

    concepts = (Concept("x", "object"),)
    built = 0

    def __init__(self, config: PluginConfig, device: torch.device) -> None:
        super().__init__(config, device)
        type(self).built += 1

    def score(self, rendering: Rendering) -> Tensor:
        return rendering.images[:, :1, 0, 0]


def test_built_with_validated_options_on_a_device(register) -> None:
    register("scorer", "told", Configured)
    scorer = ganstrata.load_scorer("told", device="cpu", name="n", level="7")
    assert isinstance(scorer, Configured)
    assert scorer.device == torch.device("cpu")
    assert scorer.config.model_dump() == {"level": 7, "name": "n"}


def test_wrong_options_build_nothing(register) -> None:
    register("scorer", "told", Configured)
    before = Configured.built
    with pytest.raises(ConfigError) as caught:
        ganstrata.load_scorer("told", device="cpu", levle=2, level=-1)
    places = {fault.path: fault.message for fault in caught.value.faults}
    assert set(places) == {("with", "name"), ("with", "levle"), ("with", "level")}
    assert "Did you mean 'level'?" in places["with", "levle"]
    assert "is missing (a name" in places["with", "name"]
    assert Configured.built == before


def test_names_devices_and_kinds_that_are_not_there(register) -> None:
    register("scorer", "told", Configured)
    with pytest.raises(PluginNotFound, match="No generator named 'told'"):
        ganstrata.load_generator("told", device="cpu")
    with pytest.raises(UserError, match="device 'tpu'"):
        ganstrata.load_scorer("told", device="tpu", name="n")
    register("scorer", "told", Configured)
    with pytest.raises(PluginConflict, match="Two scorers are called 'told'"):
        ganstrata.load_scorer("told", device="cpu", name="n")


def test_every_kind_can_be_built() -> None:
    assert isinstance(build("boundary", "ridge", {"alpha": 2.0}), ganstrata.BoundaryLearner)
    assert isinstance(build("scorer", "hue", {}), ganstrata.Scorer)
    assert isinstance(
        build("generator", "stylegan2", {"checkpoint": "bundled:rooms"}, device="cpu"), ganstrata.Generator
    )
