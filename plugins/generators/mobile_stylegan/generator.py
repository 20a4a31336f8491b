"""Run MobileStyleGAN as a plugin whose layers are strata that the core composes."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ....core.checkpoints import Part
from ....core.checkpoints.detect import Examined
from ....core.device import compute_dtype
from ....core.plugins.records import Inputs, ModelCard, State, Stratum
from ....core.strata.layers import resolution_groups
from ..shared import noise, truncation
from ..shared.checkpoints import open_checkpoint
from ..shared.classes import Classes
from ..shared.config import MappingConfig, NoiseConfig, TruncationConfig
from ..shared.truncated import TruncatedGenerator
from ..shared.unstored import Unstored
from .architecture import FAMILY, Architecture, examine
from .layouts import LAYOUTS
from .network import Block, Convolution, Output, Up


class MobileStyleGAN(TruncatedGenerator):
    """Run MobileStyleGAN (Belousov 2021), with L = 2 log2(resolution) - 4 layers.

    Layer 2b - 1 controls the upsampling to 4 * 2^b pixels and the convolution after it, layer 2b the second
    convolution of that size. The last layer is that of the output, which doubles the size once more.

    The author's program takes 3 codes for each doubling and 2 more. Those that reach no picture have no
    layer: the codes of the outputs of lower resolutions, which only its training looks at, and the very last.
    """

    class Config(MappingConfig, NoiseConfig, TruncationConfig):
        """Set checkpoint, truncation, noise, and what the file does not state."""

    config: Config
    family = FAMILY
    layouts = LAYOUTS

    def __init__(self, config: Config, device: torch.device) -> None:
        super().__init__(config, device)
        unstored = Unstored.of(config)
        opened = open_checkpoint(type(self), config, lambda part: examine(part, unstored))
        self.architecture = Architecture.from_plain(opened.description.architecture)
        self.network = opened.network(self.architecture.build, device)
        self._classes = Classes(self.family, 0, config.classes)
        self._scale = truncation.scale(
            self.architecture.layers, config.truncation_psi, config.truncation_layers
        )
        self.card: ModelCard = opened.card(
            truncation=truncation.describe(self._scale), assumptions=(noise.UNSTORED[config.noise],)
        )
        self._modules: list[Convolution | Output | Up] = []
        self.strata = self._described()
        self._mean = (
            self.network.mapping.w_avg
            if self.architecture.means
            else truncation.mean_code(self.network.mapping, self.architecture.z_dim, self._scale, self.device)
        )
        self._noisy = {
            s: (stratum.height, stratum.size)
            for s, stratum in enumerate(self.strata)
            if isinstance(self._modules[s], Convolution)
        }
        self._fixed = {
            s: noise.fixed(size, part=s).to(device)[None, None]
            for s, size in self._noisy.items()
            if config.noise == "const"
        }

    @classmethod
    def examine(cls, part: Part) -> Examined | None:
        """Return sizes and weights, in any layout."""
        return examine(part)

    @property
    def groups(self) -> Mapping[str, tuple[int, ...]]:
        """Layers by group: bottom (feature maps of 4 pixels), lower, upper, top (the largest ones)."""
        return resolution_groups(self.architecture.resolution // 2)

    def map(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        """Map z (N, Z) to w (N, D)."""
        w: Tensor = self.network.mapping(z)
        return w

    def begin(self, inputs: Inputs) -> State:
        """Return the learned constant (N, C, 4, 4), and fresh noise if it is used."""
        const = self.network.const.to(compute_dtype(self.device))
        x = const.expand(inputs.n, -1, -1, -1).contiguous(memory_format=torch.channels_last)
        return State(x, kept=noise.kept(self.config.noise, inputs, self._noisy, self.device))

    def stratum(self, s: int, state: State, code: Tensor | None, style: Tensor | None = None) -> State:
        """Double the size, apply a convolution, or make the picture."""
        module = self._modules[s]
        assert state.x is not None
        with torch.autocast(self.device.type, enabled=False):
            if style is None:
                assert code is not None
                style = module.affine(code.float())  # (N, C_s)
            if isinstance(module, Output):
                return State(state.x, module(state.x, style), state.kept)
            if isinstance(module, Up):
                return state.with_x(module(state.x, style))
            added = noise.of_part(self.config.noise, s, state.kept, self._fixed.get(s))
            return state.with_x(module(state.x, style, added))

    def noise_map(self, s: int, inputs: Inputs) -> Tensor | None:
        """Return the unscaled noise (N or 1, 1, h, w) of a convolution; None for other strata."""
        if not isinstance(self._modules[s], Convolution):
            return None
        return noise.of_inputs(self.config.noise, s, self.strata[s], inputs, self._fixed.get(s))

    def finish(self, state: State) -> Tensor:
        """Return images (N, 3, H, W), with [-1, 1] mapped to [0, 1]."""
        assert state.rgb is not None
        return (state.rgb + 1.0) / 2.0

    def style(self, s: int, code: Tensor) -> Tensor | None:
        """Map codes (N, D) to the styles (N, C_s) of a stratum."""
        style: Tensor = self._modules[s].affine(code)
        return style

    def style_weights(self, s: int) -> Tensor | None:
        """Return the matrix (C_s, D) from codes to styles."""
        return self._modules[s].affine.weight

    def _described(self) -> tuple[Stratum, ...]:
        """Fill the list of modules, and return their strata."""
        strata: list[Stratum] = []

        def add(name: str, layer: int, size: int, module: Convolution | Output | Up) -> None:
            self._modules.append(module)
            width = module.affine.out_features
            is_feature = not isinstance(module, Output)
            strata.append(Stratum(name, layer, size, is_feature=is_feature, style_width=width))

        add("b4.conv", 0, 4, self.network.first)
        for b, block in enumerate(self.network.blocks, 1):
            assert isinstance(block, Block)
            size = 4 * 2**b
            add(f"b{size}.up", 2 * b - 1, size, block.up)
            add(f"b{size}.conv1", 2 * b - 1, size, block.conv1)
            add(f"b{size}.conv2", 2 * b, size, block.conv2)
        (output,) = self.network.outputs.values()
        assert isinstance(output, Output)
        add("output", self.architecture.layers - 1, self.architecture.resolution, output)
        return tuple(strata)
