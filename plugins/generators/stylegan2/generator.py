"""Run StyleGAN2 as a plugin whose blocks are strata that the core composes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

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
from ..shared.config import MappingConfig, StyleConfig, UnstoredConfig
from ..shared.modulated import upsample_rgb
from ..shared.truncated import TruncatedGenerator
from ..shared.unstored import Unstored
from .architecture import Architecture, examine
from .layouts import LAYOUTS
from .network import RESIDUAL_GAIN, Block, SynthesisLayer, ToRGB


class _Module(NamedTuple):
    """Hold the module of a stratum and its block."""

    block: Block
    module: SynthesisLayer | ToRGB


class StyleGAN2(TruncatedGenerator):
    """Run StyleGAN2 (Karras et al. 2020) in any of its three forms, with L = 2 log2(resolution) - 2 layers.

    Pictures have the proportions of the learned constant, whose sides each block but the first doubles: with
    (C, 4, 2) and 9 blocks they are 1024 x 512, with 18 layers. Their channels are those of ToRGB.

    Layer 2b - 1 controls the first convolution of block b4 * 2^b, layer 2b the second. As in NVIDIA's
    PyTorch release, the ToRGB of a resolution shares its layer with the first convolution of the next one.
    Only networks with skip connections have a ToRGB at every resolution; the others have one at the end.
    """

    class Config(StyleConfig, UnstoredConfig, MappingConfig):
        """Set checkpoint, truncation, noise, classes, and what the file does not state."""

    config: Config
    family = "StyleGAN2"
    layouts = LAYOUTS

    def __init__(self, config: Config, device: torch.device) -> None:
        super().__init__(config, device)
        unstored = Unstored.of(config)
        opened = open_checkpoint(type(self), config, lambda part: examine(part, unstored))
        self.architecture = Architecture.from_plain(opened.description.architecture)
        self.network = opened.network(self.architecture.build, device)
        self.network.precompute()
        self._scale = truncation.scale(
            self.architecture.layers, config.truncation_psi, config.truncation_layers
        )
        self.card: ModelCard = opened.card(truncation=truncation.describe(self._scale))
        self._classes = Classes(self.family, self.architecture.classes, config.classes)
        self._modules: list[_Module] = []
        strata: list[Stratum] = []
        layer = 0
        for doublings, number in enumerate(self.network.sizes):
            block = self.network.block(number)
            height, width = (side << doublings for side in self.architecture.start)
            for name in ("conv1",) if number == 4 else ("conv0", "conv1"):
                module: SynthesisLayer = getattr(block, name)
                self._modules.append(_Module(block, module))
                inputs = module.weight.shape[1]
                strata.append(Stratum(f"b{number}.{name}", layer, width, style_width=inputs, height=height))
                layer += 1
            if block.has_rgb:
                self._modules.append(_Module(block, block.torgb))
                strata.append(
                    Stratum(
                        f"b{number}.torgb",
                        layer,
                        width,
                        is_feature=False,
                        style_width=block.torgb.weight.shape[1],
                        height=height,
                    )
                )
        self.strata = tuple(strata)
        self._noisy = {s: (x.height, x.size) for s, x in enumerate(self.strata) if x.is_feature}
        self._mean = (
            self.network.mapping.w_avg
            if self.architecture.means
            else truncation.mean_code(self.network.mapping, self.architecture.z_dim, self._scale, device)
        )

    @classmethod
    def examine(cls, part: Part) -> Examined | None:
        """Return sizes, classes and weights, in any layout."""
        return examine(part)

    @property
    def groups(self) -> Mapping[str, tuple[int, ...]]:
        """Layers by group: bottom (the constant's size), lower, upper, top (the final one)."""
        return resolution_groups(max(self.network.sizes))

    def map(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        """Map z (N, Z) to w (N, D); conditional networks also need classes (N,) or weights (N, Y)."""
        w: Tensor = self.network.mapping(z, self._classes.weights(condition, z))
        return w

    def begin(self, inputs: Inputs) -> State:
        """Return the learned constant (N, C, h, w), and fresh noise if it is used."""
        const = self.network.block(4).const.to(compute_dtype(self.device))
        x = const.expand(inputs.n, -1, -1, -1).contiguous(memory_format=torch.channels_last)
        return State(x, kept=noise.kept(self.config.noise, inputs, self._noisy, self.device))

    def stratum(self, s: int, state: State, code: Tensor | None, style: Tensor | None = None) -> State:
        """Apply a modulated convolution, or add the output of ToRGB to the upsampled RGB so far."""
        entry = self._modules[s]
        assert state.x is not None
        with torch.autocast(self.device.type, enabled=False):
            if style is None:
                assert code is not None
                style = entry.module.affine(code.float())  # (N, C_s)
            if isinstance(entry.module, ToRGB):
                rgb = entry.module(state.x, style, self.architecture.clamp)  # (N, colours, H, W)
                if state.rgb is not None:
                    rgb = upsample_rgb(state.rgb, entry.block.resample_filter) + rgb
                return State(state.x, rgb, state.kept)
            constant = entry.module.noise_const[None, None]
            added = noise.of_part(self.config.noise, s, state.kept, constant)
            x: Tensor = entry.module(state.x, style, added, self.architecture.clamp)
            if not entry.block.has_residual:
                return State(x, state.rgb, state.kept)
            kept = dict(state.kept)
            if entry.module.up:
                kept["residual"] = entry.block.skip(state.x)
            else:
                x = RESIDUAL_GAIN * x + kept.pop("residual")
            return State(x, state.rgb, kept)

    def noise_map(self, s: int, inputs: Inputs) -> Tensor | None:
        """Return the unscaled noise (N or 1, 1, h, w) of a convolution; None for other strata."""
        module = self._modules[s].module
        if isinstance(module, ToRGB):
            return None
        constant = module.noise_const[None, None]
        return noise.of_inputs(self.config.noise, s, self.strata[s], inputs, constant)

    def finish(self, state: State) -> Tensor:
        """Return pictures (N, channels, H, W), with [-1, 1] mapped to [0, 1], alpha too."""
        assert state.rgb is not None
        rgb = torch.tanh(state.rgb) if self.architecture.tanh else state.rgb
        return (rgb + 1.0) / 2.0

    def style(self, s: int, code: Tensor) -> Tensor | None:
        """Map codes (N, D) to the styles (N, C_s) of a stratum."""
        style: Tensor = self._modules[s].module.affine(code)
        return style

    def style_weights(self, s: int) -> Tensor | None:
        """Return the matrix (C_s, D) from codes to styles, with the equalised learning rate applied."""
        weight: Tensor = self._modules[s].module.affine.weight
        scaled: Tensor = weight / weight.shape[1] ** 0.5
        return scaled
