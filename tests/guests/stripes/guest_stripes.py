"""A generator: layer 0 decides how bright a picture is, layer 1 how strong its stripes are."""

import torch
from ganstrata import Generator, ModelCard, PluginConfig, State, Stratum, hookimpl
from pydantic import Field


class Stripes(Generator):
    """Bright or dark pictures with stripes."""

    class Config(PluginConfig):
        size: int = Field(default=8, ge=4, description="width and height in pixels")

    def __init__(self, config, device):
        super().__init__(config, device)
        self.card = ModelCard("stripes", resolution=config.size, layers=2, code_size=4, latent_size=4)
        self.strata = (Stratum("brightness", 0, config.size), Stratum("stripes", 1, config.size))

    def stratum(self, s, state, code, style=None):
        if s == 0:
            return State(code[:, 0, None, None, None].expand(-1, 3, self.config.size, self.config.size))
        sign = 1.0 - 2.0 * (torch.arange(self.config.size, device=self.device) % 2)
        return state.with_x(state.x + code[:, 1, None, None, None] * sign)

    def finish(self, state):
        return 0.5 + 0.1 * state.x


@hookimpl
def ganstrata_register_generators(register):
    register("stripes", "guest_stripes:Stripes", "pictures with stripes")
