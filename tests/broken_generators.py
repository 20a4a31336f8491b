"""A sound generator, and generators that each break one promise of the kit."""

from __future__ import annotations

import itertools
from pathlib import Path

import torch
from ganstrata import CheckpointError, Generator, Latents, ModelCard, PluginConfig, State, Stratum
from pydantic import ConfigDict
from torch import nn

LAYERS, WIDTH, SIDE = 3, 6, 8


class Sound(Generator):
    """Three layers, of which each adds a pattern that its code weighs; the last one has a style."""

    card = ModelCard("sound", SIDE, LAYERS, WIDTH, WIDTH, licence="MIT", source="the tests")
    strata = (Stratum("a", 0, SIDE), Stratum("b", 1, SIDE), Stratum("c", 2, SIDE, style_width=WIDTH))

    def __init__(self, config: PluginConfig, device: torch.device) -> None:
        super().__init__(config, device)
        random = torch.Generator().manual_seed(7)
        self.patterns = torch.randn(LAYERS, WIDTH, 3, SIDE, SIDE, generator=random).to(device)

    def stratum(self, s, state, code, style=None):
        weights = self.style(s, code) if style is None and s == 2 else style if s == 2 else code
        added = torch.einsum("nk,kchw->nchw", weights, self.patterns[s])
        return State(added if state.x is None else state.x + added)

    def style(self, s, code):
        return 2.0 * code if s == 2 else None

    def style_weights(self, s):
        return 2.0 * torch.eye(WIDTH) if s == 2 else None

    def finish(self, state):
        return torch.sigmoid(state.x)


class Dropping(Sound):
    def stratum(self, s, state, code, style=None):
        after = super().stratum(s, state, code, style)
        return State(after.x[:1]) if s >= 1 else after


class NoCard(Sound):
    card = None


class LooseConfig(Sound):
    class Config(PluginConfig):
        model_config = ConfigDict(extra="allow", frozen=True)


class Unsourced(Sound):
    card = ModelCard("sound", SIDE, LAYERS, WIDTH, WIDTH)


class Training(Sound):
    def __init__(self, config, device):
        super().__init__(config, device)
        self.network = nn.Linear(1, 1)


class BatchSamples(Sound):
    def sample(self, n, seed, start, stream):
        random = torch.Generator().manual_seed(1000 * seed + 10 * len(stream.name) + n)
        return Latents(torch.randn(n, WIDTH, generator=random), None, torch.arange(start, start + n))


class AnyTime(Sound):
    numbers = itertools.count()

    def sample(self, n, seed, start, stream):
        latents = super().sample(n, seed, start, stream)
        return Latents(latents.z + next(self.numbers), None, latents.index)


class OneSeed(Sound):
    def sample(self, n, seed, start, stream):
        return super().sample(n, 0, start, stream)


class GlobalNumbers(Sound):
    def map(self, z, condition=None):
        torch.rand(1)
        return z


class MinusOne(Sound):
    def finish(self, state):
        return 2.0 * torch.sigmoid(4.0 * state.x) - 1.0


class Infinite(Sound):
    def finish(self, state):
        return super().finish(state) / state.x.new_zeros(())


class Shrunk(Sound):
    def finish(self, state):
        return super().finish(state)[:, :, ::2, ::2]


class Buffered(Sound):
    buffer = None

    def finish(self, state):
        pictures = super().finish(state)
        if self.buffer is None or self.buffer.shape != pictures.shape:
            self.buffer = torch.empty_like(pictures)
        return self.buffer.copy_(pictures)


class FreshWeights(Sound):
    numbers = itertools.count()

    def __init__(self, config, device):
        super().__init__(config, device)
        self.patterns = self.patterns + 0.1 * next(self.numbers)


class BatchStatistics(Sound):
    def finish(self, state):
        return torch.sigmoid(state.x - state.x.mean(dim=0))


class InPlace(Sound):
    def finish(self, state):
        return state.x.sigmoid_()


class Recalling(Sound):
    """Its first stratum adds what the last one was given in the pass before."""

    last: torch.Tensor | None = None

    def stratum(self, s, state, code, style=None):
        after = super().stratum(s, state, code, style)
        if s == LAYERS - 1:
            self.last = code.detach()
        if s == 0 and self.last is not None:
            return State(self.with_last(after.x), kept=self.kept())
        return State(after.x, kept=state.kept)

    def with_last(self, x):
        return x + self.last[0, 0]

    def kept(self):
        return {}


class Peeping(Recalling):
    """Keeps it in the state, where no picture shows it."""

    def with_last(self, x):
        return x

    def kept(self):
        return {"last": self.last}


class Remembering(Sound):
    """Its last stratum uses the code that the first one was given, which an edit does not make anew."""

    def stratum(self, s, state, code, style=None):
        if s == 0:
            self.first = state.kept.get("never", code)
        after = super().stratum(s, state, code, style)
        return after if s < LAYERS - 1 else State(after.x + self.first.mean(dim=1)[:, None, None, None])


class Idle(Sound):
    def stratum(self, s, state, code, style=None):
        return super().stratum(s, state, 0.0 * code if s == 1 else code, style)


class Trained(Sound):
    """Has a parameter that can be trained, and codes that reach nothing."""

    def __init__(self, config, device):
        super().__init__(config, device)
        self.gain = nn.Parameter(torch.ones((), device=device))

    def stratum(self, s, state, code, style=None):
        return super().stratum(s, state, code.detach(), style)

    def finish(self, state):
        return torch.sigmoid(self.gain * state.x)


class Overwriting(Sound):
    """Writes into what the derivative of the sigmoid needs."""

    def finish(self, state):
        return torch.sigmoid(state.x).mul_(0.9)


class Detached(Sound):
    def stratum(self, s, state, code, style=None):
        return super().stratum(s, state, code.detach() if s == 0 else code, style)


class Coarse(Sound):
    """Subtracts two large numbers, which bfloat16 cannot."""

    def finish(self, state):
        unit = torch.eye(SIDE, device=state.x.device)
        return torch.sigmoid((state.x @ (1e3 * unit) + 1e4 * torch.ones_like(unit)) - 1e4 - 999.0 * state.x)


class OtherStyle(Sound):
    def style(self, s, code):
        return None if s != 2 else 2.0 * code if code.requires_grad else 3.0 * code

    def stratum(self, s, state, code, style=None):
        return super().stratum(s, state, code, 2.0 * code if style is None and s == 2 else style)


class NoStyle(Sound):
    def style(self, s, code):
        return None

    def stratum(self, s, state, code, style=None):
        return super().stratum(s, state, code, 2.0 * code)


class WideWeights(Sound):
    def style_weights(self, s):
        return torch.ones(WIDTH, 2 * WIDTH)


class UnscaledWeights(Sound):
    def style_weights(self, s):
        return torch.eye(WIDTH) if s == 2 else None


class Unread(Sound):
    strata = (*Sound.strata, Stratum("colour", None, SIDE, style_width=WIDTH))

    def stratum(self, s, state, code, style=None):
        return state if s == LAYERS else super().stratum(s, state, code, style)


class OnTheProcessor(Sound):
    def finish(self, state):
        return torch.sigmoid(state.x + torch.zeros(1, 1, SIDE, SIDE))


class Oversized(Sound):
    strata = (Stratum("a", 0, SIDE), Stratum("b", 1, 2 * SIDE), Stratum("c", 2, SIDE, style_width=WIDTH))


class Margined(Sound):
    """Declares a margin that its feature map lacks, and a height."""

    strata = (
        Stratum("a", 0, SIDE),
        Stratum("b", 1, SIDE, margin=1, height=SIDE - 2),
        Stratum("c", 2, SIDE, style_width=WIDTH),
    )


class Untold(Sound):
    """Declares nothing of the map that is no feature map."""

    strata = (
        Stratum("a", 0, SIDE),
        Stratum("b", 1, 1, is_feature=False),
        Stratum("c", 2, SIDE, style_width=WIDTH),
    )


class Reading(Sound):
    def finish(self, state):
        return torch.sigmoid(state.x) if float(state.x.detach().sum()) < 1e9 else state.x


class Forgiving(Sound):
    class Config(PluginConfig):
        checkpoint: str = "none"

    card = ModelCard("sound", SIDE, LAYERS, WIDTH, WIDTH, sha256="0" * 64)


class Crashing(Forgiving):
    def __init__(self, config, device):
        super().__init__(config, device)
        if config.checkpoint != "none":
            raise KeyError(config.checkpoint)


class Blurting(Forgiving):
    def __init__(self, config, device):
        super().__init__(config, device)
        if config.checkpoint != "none":
            raise CheckpointError("the weights are missing")


class Careful(Forgiving):
    def __init__(self, config, device):
        super().__init__(config, device)
        if config.checkpoint != "none" and not Path(config.checkpoint).exists():
            raise CheckpointError(f"{config.checkpoint} does not exist")
