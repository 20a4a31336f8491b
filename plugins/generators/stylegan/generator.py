"""Run StyleGAN as a plugin whose layers are strata that the core composes."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ....core.checkpoints import Part
from ....core.checkpoints.detect import Examined
from ....core.device import compute_dtype, for_inference
from ....core.plugins.records import Inputs, ModelCard, State, Stratum
from ....core.strata.layers import resolution_groups
from ..shared import noise, truncation
from ..shared.checkpoints import open_checkpoint
from ..shared.classes import Classes
from ..shared.config import GrownConfig, MappingConfig, StyleConfig
from ..shared.state_dicts import load
from ..shared.truncated import TruncatedGenerator
from ..shared.unstored import Unstored
from .architecture import Architecture, examine
from .layouts import LAYOUTS
from .network import Layer, Output, StoredLayer
from .network import Mapping as MappingNetwork


class StyleGAN(TruncatedGenerator):
    """Run StyleGAN (Karras et al. 2019), with L = 2 log2(resolution) - 2 layers, one per AdaIN.

    Layers 2b and 2b + 1 have the size of the learned constant, 4 x 4 or another, times 2^b. Each layer is a
    stratum. The output, which reads no code, is the last stratum. State.x is the feature map after AdaIN.
    """

    class Config(StyleConfig, GrownConfig, MappingConfig):
        """Set checkpoint, truncation, noise, classes, and what the file does not state."""

    config: Config
    family = "StyleGAN"
    layouts = LAYOUTS

    def __init__(self, config: Config, device: torch.device) -> None:
        super().__init__(config, device)
        unstored = Unstored.of(config)
        opened = open_checkpoint(type(self), config, lambda part: examine(part, unstored))
        architecture = self.architecture = Architecture.from_plain(opened.description.architecture)
        stored = load(architecture.build, opened.description, opened.checkpoint.path)
        stored_layers = [layer for layer in stored.synthesis.layers if isinstance(layer, StoredLayer)]
        form = {name: getattr(architecture, name) for name in ("blur", "bias_blurred", "epsilon")}
        self._layers = [
            Layer(layer, up=i > 0 and i % 2 == 0, **form) for i, layer in enumerate(stored_layers)
        ]
        self._output = Output(stored.synthesis.output)
        self._mapping = MappingNetwork(stored.mapping, architecture.lr_multiplier)
        self.network = for_inference(nn.ModuleList([self._mapping, *self._layers, self._output]), device)
        self._const = stored.synthesis.const.detach()[None].to(device)
        self._scale = truncation.scale(architecture.layers, config.truncation_psi, config.truncation_layers)
        self.card: ModelCard = opened.card(truncation=truncation.describe(self._scale))
        self._classes = Classes(self.family, architecture.classes, config.classes)
        strata = []
        for i, layer in enumerate(self._layers):
            height, width = (side << i // 2 for side in architecture.start)
            strata.append(Stratum(f"layer{i}", i, width, style_width=2 * layer.bias.shape[0], height=height))
        height, width = architecture.size
        self._noisy = {s: (stratum.height, stratum.size) for s, stratum in enumerate(strata)}
        self.strata = (*strata, Stratum("output", None, width, is_feature=False, height=height))
        self._mean = self._mean_w(stored.mapping.w_avg.to(device) if architecture.mean else None)

    @classmethod
    def examine(cls, part: Part) -> Examined | None:
        """Return sizes, classes and weights, in any layout."""
        return examine(part)

    @property
    def groups(self) -> Mapping[str, tuple[int, ...]]:
        """Layers by group: bottom (the constant's size), lower, upper, top (the final one)."""
        return resolution_groups(4 << (len(self.architecture.widths) - 1))

    def map(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        """Map z (N, Z) to w (N, D); conditional networks also need classes (N,) or weights (N, Y)."""
        w: Tensor = self._mapping(z, self._classes.weights(condition, z))
        return w

    def begin(self, inputs: Inputs) -> State:
        """Return the learned constant (N, C, h, w), and fresh noise if it is used."""
        const = self._const.to(compute_dtype(self.device))
        x = const.expand(inputs.n, -1, -1, -1).contiguous(memory_format=torch.channels_last)
        return State(x, kept=noise.kept(self.config.noise, inputs, self._noisy, self.device))

    def stratum(self, s: int, state: State, code: Tensor | None, style: Tensor | None = None) -> State:
        """Apply a layer to the feature map, or the output layer, which gives the RGB."""
        assert state.x is not None
        with torch.autocast(self.device.type, enabled=False):
            if s == len(self._layers):
                rgb = self._output(state.x)
                return State(state.x, torch.tanh(rgb) if self.architecture.tanh else rgb, state.kept)
            if style is None:
                assert code is not None
                style = self._layers[s].affine(self._read_code(s, code).float())
            layer = self._layers[s]
            added = noise.of_part(self.config.noise, s, state.kept, layer.noise_const)
            return State(layer(state.x, style, added), None, state.kept)

    def noise_map(self, s: int, inputs: Inputs) -> Tensor | None:
        """Return the unscaled noise (N or 1, 1, h, w) of a layer; None for the output."""
        if s == len(self._layers):
            return None
        constant = self._layers[s].noise_const
        return noise.of_inputs(self.config.noise, s, self.strata[s], inputs, constant)

    @property
    def tunable(self) -> Mapping[str, Tensor]:
        """Return the weights of the synthesis network with their gains, and the learned constant."""
        layers = [*self._layers, self._output]
        weights = {
            f"{self.strata[s].name}.{name}": x
            for s, layer in enumerate(layers)
            for name, x in layer.named_buffers()
            if name not in ("blur", "noise_const")
        }
        return {"const": self._const, **weights}

    def finish(self, state: State) -> Tensor:
        """Return pictures (N, channels, H, W), with [-1, 1] mapped to [0, 1], alpha too."""
        assert state.rgb is not None
        return (state.rgb + 1.0) / 2.0

    def style(self, s: int, code: Tensor) -> Tensor | None:
        """Map codes (N, D) to styles (N, 2 C), y_s - 1 followed by y_b; None for the output."""
        if s == len(self._layers):
            return None
        style: Tensor = self._layers[s].affine(self._read_code(s, code))
        return style

    def style_weights(self, s: int) -> Tensor | None:
        """Return the matrix (2 C, D) from codes to styles, None for the output.

        Entries of a code that the layer does not read have zeros.
        """
        if s == len(self._layers):
            return None
        weight = self._layers[s].affine.weight
        if not self.architecture.own_codes:
            return weight
        all_columns = weight.new_zeros(weight.shape[0], self.architecture.code_size)
        self._read_code(s, all_columns).copy_(weight)
        return all_columns

    def _read_code(self, s: int, code: Tensor) -> Tensor:
        """Return the entries (N, w_dim) of a code (N, D) that layer s reads."""
        if not self.architecture.own_codes:
            return code
        width = self.architecture.w_dim
        return code[:, s * width : (s + 1) * width]

    def _mean_w(self, stored: Tensor | None) -> Tensor:
        """Return the mean w (D,): the one that the file stores, for each layer's own code, or a new one."""
        if stored is None:
            return truncation.mean_code(self._mapping, self.architecture.z_dim, self._scale, self.device)
        return stored.repeat(self.architecture.code_size // stored.shape[0])
