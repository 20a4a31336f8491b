"""Make tiny generators for the checks of inverters: three layers, 8 pixels, noise, weights, or classes."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..core.plugins.base import PluginConfig
from ..core.plugins.generator import Generator
from ..core.plugins.records import Inputs, Latents, ModelCard, State, Stratum
from ..core.randomness import Stream, Use, normals

SIZE, WIDTH, LAYERS, CHANNELS, CLASSES = 8, 8, 3, 6, 3


class Tiny(Generator):
    """Add waves whose phases the codes decide, and noise; a picture is a mixture of the last feature map."""

    def __init__(self, config: PluginConfig, device: torch.device) -> None:
        super().__init__(config, device)
        self.card = ModelCard("tiny", resolution=SIZE, layers=LAYERS, code_size=WIDTH, latent_size=WIDTH)
        strata = [Stratum(f"layer{s}", s, SIZE) for s in range(LAYERS)]
        self.strata = (*strata, Stratum("output", None, SIZE, is_feature=False))
        with torch.random.fork_rng(devices=()):
            torch.manual_seed(1)
            self.mapping = nn.Linear(WIDTH, WIDTH)
            self.affines = nn.ModuleList(nn.Linear(WIDTH, CHANNELS) for _ in range(LAYERS))
            self.layers = nn.ModuleList(nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1) for _ in range(LAYERS))
            self.output = nn.Conv2d(CHANNELS, 3, 1)
            const = torch.randn(1, CHANNELS, SIZE, SIZE)
        self.const = const.to(device)
        for module in (self.mapping, self.affines, self.layers, self.output):
            module.to(device).eval().requires_grad_(False)

    def map(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        """Map z (N, Z) to w (N, D)."""
        w: Tensor = self.mapping(z)
        return w

    def begin(self, inputs: Inputs) -> State:
        """Return the constant (N, C, H, W), and the noise of each layer."""
        maps = {
            f"noise{s}": inputs.maps[s] if s in inputs.maps else self._drawn(s, inputs) for s in range(LAYERS)
        }
        return State(self.const.expand(inputs.n, -1, -1, -1), kept=maps)

    def _drawn(self, s: int, inputs: Inputs) -> Tensor:
        """Return the fresh noise (N, 1, H, W) of a layer."""
        rows = [
            normals(inputs.noise, Stream.PROBING, Use.NOISE, range(i, i + 1), SIZE * SIZE, part=s)
            for i in inputs.index.tolist()
        ]
        maps = torch.cat([torch.from_numpy(row) for row in rows]).view(-1, 1, SIZE, SIZE)
        return maps.to(self.device)

    def noise_map(self, s: int, inputs: Inputs) -> Tensor | None:
        """Return the noise of a layer."""
        return self._drawn(s, inputs) if s < LAYERS else None

    def stratum(self, s: int, state: State, code: Tensor | None, style: Tensor | None = None) -> State:
        """Apply a convolution to the modulated feature map, or mix the picture."""
        assert state.x is not None
        if s == LAYERS:
            return State(state.x, self.output(state.x), state.kept)
        x = state.x * (1.0 + self.affines[s](code)[:, :, None, None])
        x = self.layers[s](x) + 0.05 * state.kept[f"noise{s}"]
        return state.with_x(F.leaky_relu(x, 0.2))

    def finish(self, state: State) -> Tensor:
        """Return pictures (N, 3, H, W)."""
        assert state.rgb is not None
        return torch.sigmoid(2.0 * state.rgb)


class TinyClasses(Tiny):
    """The same with classes, each of which adds its own vector to w."""

    def __init__(self, config: PluginConfig, device: torch.device) -> None:
        super().__init__(config, device)
        source = torch.Generator().manual_seed(2)
        self.embedding = 2.0 * torch.randn(CLASSES, WIDTH, generator=source).to(device)  # (Y, D)

    @property
    def classes(self) -> int:
        """Return the number of classes."""
        return CLASSES

    def sample(self, n: int, seed: int, start: int, stream: Stream) -> Latents:
        """Draw z; the class of a sample is its index modulo the number of classes."""
        latents = super().sample(n, seed, start, stream)
        return Latents(latents.z, (latents.index % CLASSES).to(self.device), latents.index)

    def map(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        """Map z (N, Z) and classes (N,), or weights of them (N, Y), to w (N, D)."""
        assert condition is not None
        if not condition.is_floating_point():
            condition = F.one_hot(condition, CLASSES).to(z)
        w: Tensor = self.mapping(z) + condition @ self.embedding
        return w


class TinyFrozen(Tiny):
    """The same without gradients."""

    def finish(self, state: State) -> Tensor:
        """Return pictures (N, 3, H, W), from which no gradient flows back."""
        return super().finish(state).detach()


def tiny(kind: type[Tiny] = Tiny) -> Tiny:
    """Return a tiny generator on the CPU."""
    return kind(PluginConfig(), torch.device("cpu"))
