"""Small valid plugins, for tests that break the contract in one way each."""

from __future__ import annotations

import ganstrata
import torch
from ganstrata import Inputs, ModelCard, PluginConfig, State, Stratum
from pydantic import Field
from torch import Tensor

SIZE = 8


class Sound(ganstrata.Generator):
    """Two layers: place and colour."""

    def __init__(self, config: PluginConfig, device: torch.device) -> None:
        super().__init__(config, device)
        self.card = ModelCard("sound", SIZE, layers=2, code_size=3, latent_size=3)
        self.strata = (Stratum("place", 0, SIZE), Stratum("paint", 1, SIZE))

    def stratum(self, s: int, state: State, code: Tensor | None, style: Tensor | None = None) -> State:
        assert code is not None
        if s == 0:
            ramp = torch.linspace(-1.0, 1.0, SIZE)[None, None, None] * code[:, :1, None, None]
            return State(ramp.expand(-1, 1, SIZE, SIZE))
        assert state.x is not None
        return State(torch.sigmoid(state.x + code[:, :, None, None]))

    def finish(self, state: State) -> Tensor:
        assert state.x is not None
        return state.x


class Leaky(Sound):
    """Some samples lose their picture: by index, or where a code goes far."""

    class Config(PluginConfig):
        every: int = Field(default=0, description="of the indices, each so-manieth is lost; 0 for none")
        value: str = Field(
            default="nan", description="what they become, as text: a config holds finite numbers only"
        )
        far: float = Field(default=1e30, description="codes beyond this are lost")
        where: int = Field(default=1, description="the stratum")

    config: Config

    def begin(self, inputs: Inputs) -> State:
        return State(None, kept={"index": inputs.index})

    def stratum(self, s: int, state: State, code: Tensor | None, style: Tensor | None = None) -> State:
        assert code is not None
        x, index = super().stratum(s, state, code).x, state.kept["index"]
        assert x is not None
        lost = code.abs().amax(dim=1) > self.config.far
        if self.config.every and s == self.config.where:
            lost = lost | (index % self.config.every == self.config.every - 1)
        return State(torch.where(lost[:, None, None, None], float(self.config.value), x), kept=state.kept)
