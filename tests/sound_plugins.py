"""A small plugin that keeps the contract, for tests that break it in one way each."""

from __future__ import annotations

import ganstrata
import torch
from ganstrata import ModelCard, PluginConfig, State, Stratum
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
