"""Run lightweight-gan as a plugin whose layers are strata that the core composes."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ....core.checkpoints import Part
from ....core.checkpoints.detect import Examined
from ....core.device import compute_dtype
from ....core.plugins.records import Inputs, ModelCard, State, Stratum
from ..shared import noise
from ..shared.checkpoints import open_checkpoint
from ..shared.classes import Classes
from ..shared.config import CheckpointConfig, NoiseConfig
from ..shared.published import PublishedGenerator
from .architecture import Architecture, examine
from .layouts import LAYOUTS
from .network import Layer


class LightweightGAN(PublishedGenerator):
    """Run lucidrains' lightweight-gan (Wang 2020); w = z.

    Layer 0 is z as the feature maps see it. Every skip-layer excitation has a layer of its own: it scales
    the channels of a level of r pixels by what the level of r / 8 pixels makes of the code of that layer.
    With one code for all layers this is the network.
    """

    class Config(NoiseConfig, CheckpointConfig):
        """Set checkpoint and noise."""

    config: Config
    family = "lightweight-gan"
    layouts = LAYOUTS

    def __init__(self, config: Config, device: torch.device) -> None:
        super().__init__(config, device)
        opened = open_checkpoint(type(self), config)
        self.architecture = Architecture.from_plain(opened.description.architecture)
        self.network = opened.network(self.architecture.build, device)
        self._classes = Classes(self.family, 0, "sampled")
        noisy = self.architecture.noisy
        self.card: ModelCard = opened.card(assumptions=(noise.UNSTORED[config.noise],) if noisy else ())
        strata = [Stratum("initial", 0, 4)]
        for level in range(1, len(self.architecture.widths)):
            size = 4 * 2**level
            if hasattr(self._layer(size), "attention"):
                strata.append(Stratum(f"attention{size // 2}", None, size // 2))
            strata.append(Stratum(f"layer{size}", None, size))
            if size in self.architecture.excited:
                strata.append(Stratum(f"excitation{size}", 1 + self.architecture.excited.index(size), size))
        self.strata = (*strata, Stratum("output", None, self.architecture.resolution, is_feature=False))
        sizes = [4 * 2**level for level in range(1, len(self.architecture.widths))] if noisy else []
        self._noisy = {size: (size, size) for size in sizes}
        self._fixed = {
            part: noise.fixed(size, part)[None, None].to(device)
            for part, size in self._noisy.items()
            if config.noise == "const"
        }

    @classmethod
    def examine(cls, part: Part) -> Examined | None:
        """Return sizes and weights, in any layout."""
        return examine(part)

    @property
    def groups(self) -> Mapping[str, tuple[int, ...]] | None:
        """Layers by group: `content`, the feature maps, and `style`, the excitations; None without these."""
        layers = tuple(range(1, self.architecture.layers))
        return {"content": (0,), "style": layers} if layers else None

    def begin(self, inputs: Inputs) -> State:
        """Return an empty state, with fresh noise if it is used."""
        return State(None, kept=noise.kept(self.config.noise, inputs, self._noisy, self.device))

    def stratum(self, s: int, state: State, code: Tensor | None, style: Tensor | None = None) -> State:
        """Make the first feature map, apply attention or a layer, excite channels, or make the picture."""
        name, size = self.strata[s].name, self.strata[s].size
        precision = compute_dtype(self.device)  # that of autocast, which is off inside
        with torch.autocast(self.device.type, enabled=False):
            if s == 0:
                assert code is not None
                return State(self._first(code, precision), None, {**state.kept, "code": code})
            assert state.x is not None
            if code is not None:
                low = self._low(size // 8, code, state.kept)
                return state.with_x(state.x * self._layer(size // 8).excitation(low))
            if name == "output":
                return State(state.x, self.network.output(state.x).float(), state.kept)
            if name.startswith("attention"):
                return state.with_x(self._layer(2 * size).attention(state.x))
            x = self._layer(size)(state.x, self._noise(size, state.kept))
            # Before it is excited itself: so the excitations of later levels see it.
            source = 8 * size in self.architecture.excited
            return State(x, None, {**state.kept, f"x{size}": x} if source else state.kept)

    def finish(self, state: State) -> Tensor:
        """Return images (N, C, H, W); the network's range is [0, 1]."""
        assert state.rgb is not None
        return state.rgb

    def style_weights(self, s: int) -> Tensor | None:
        """Return the matrix (32 C, Z) of the first stratum, from z to its 4x4 feature map."""
        return self.network.initial.matrix() if s == 0 else None

    def _first(self, code: Tensor, precision: torch.dtype) -> Tensor:
        """Map codes (N, Z) to the feature map (N, C, 4, 4) of this precision."""
        x: Tensor = self.network.initial(code.float().to(precision))
        return x

    def _low(self, size: int, code: Tensor, kept: Mapping[str, Tensor]) -> Tensor:
        """Return the feature map of a level of at most 128 pixels that codes (N, Z) make.

        If they are those of layer 0, it is there already. With gradients it is made anew, so that they reach
        the code of the layer that is asked for.
        """
        first = kept["code"]
        if not (code.requires_grad or first.requires_grad) and torch.equal(code, first):
            return kept[f"x{size}"]
        x, level = self._first(code, kept[f"x{size}"].dtype), 8
        while level <= size:
            layer = self._layer(level)
            x = layer.attention(x) if hasattr(layer, "attention") else x
            x = layer(x, self._noise(level, kept))
            level *= 2
        return x

    def _layer(self, size: int) -> Layer:
        """Return the layer whose output has `size` pixels."""
        layer = self.network.layers[size.bit_length() - 4]
        assert isinstance(layer, Layer)
        return layer

    def _noise(self, size: int, kept: Mapping[str, Tensor]) -> Tensor | None:
        """Return the noise of a layer, (N or 1, 1, H, W); the same wherever its level is made again."""
        if not self.architecture.noisy:
            return None
        return noise.of_part(self.config.noise, size, kept, self._fixed.get(size))
