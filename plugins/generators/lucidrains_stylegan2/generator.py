"""Run lucidrains' StyleGAN2 as a plugin whose blocks are strata that the core composes."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Literal, NamedTuple

import torch
from pydantic import Field
from torch import Tensor

from ....core.checkpoints import Part
from ....core.checkpoints.detect import Examined
from ....core.device import compute_dtype, sent
from ....core.plugins.records import Inputs, ModelCard, State, Stratum
from ..shared import noise, truncation
from ..shared.checkpoints import open_checkpoint
from ..shared.classes import Classes
from ..shared.config import TruncationConfig
from ..shared.truncated import TruncatedGenerator
from .architecture import FAMILY, Architecture, examine
from .attention import Attention
from .layouts import LAYOUTS
from .network import Block, Convolution, ToRGB, upsample

LR_MLP = 0.1  # the library's default
NOISE = {
    "const": "no file stores the noise: one fixed image of it, drawn from seed 0, is used for all samples",
    "fresh": "no file stores the noise: it is drawn for each sample",
    "none": "no file stores the noise: its mean, 0.5, is used at all pixels",
}


class _Module(NamedTuple):
    """Hold the layer of a stratum, and its module; None for a term of the first feature map."""

    layer: int
    module: Attention | Convolution | ToRGB | None


class LucidrainsStyleGAN2(TruncatedGenerator):
    """Run the StyleGAN2 of lucidrains' stylegan2-pytorch, with L = log2(resolution) - 1 layers.

    Layer l controls the block of resolution 4 * 2^l: two convolutions and its RGB.

    Networks trained with `no_const` make the first feature map from the mean of the codes of all layers. It
    is linear in them, so there are L strata `initial0`, `initial1`, ..., each of which adds the term of one
    layer.

    Attributes:
        noise_image: noise (1, 1, H, W) in [0, 1] of all samples unless `noise` is fresh, with the axes of the
            library. Another image may be set, to reproduce a picture that the library made.
    """

    class Config(TruncationConfig):
        """Set checkpoint, truncation, noise, and the option of training that the file does not store."""

        noise: Literal["const", "fresh", "none"] = Field(
            default="const",
            description="const: one fixed image of uniform noise; fresh: one drawn for each sample; "
            "none: its mean, 0.5, at all pixels",
        )
        lr_mlp: float = Field(
            default=LR_MLP,
            gt=0.0,
            lt=float("inf"),
            description="the option lr_mlp with which the network was trained; the file does not store it",
        )

    config: Config
    family = FAMILY
    layouts = LAYOUTS

    def __init__(self, config: Config, device: torch.device) -> None:
        super().__init__(config, device)
        opened = open_checkpoint(type(self), config)
        self.architecture = Architecture.from_plain(opened.description.architecture)
        self._classes = Classes(self.family, 0, config.classes)
        self.network = opened.network(self.architecture.build, device)
        self.network.mapping.lr_multiplier = config.lr_mlp
        self._scale = truncation.scale(
            self.architecture.layers, config.truncation_psi, config.truncation_layers
        )
        card = opened.card(
            truncation=truncation.describe(self._scale),
            assumptions=(
                f"the mapping's learning rate multiplier is {config.lr_mlp:g} (config: lr_mlp)",
                NOISE[config.noise],
            ),
        )
        self.card: ModelCard = card if config.lr_mlp == LR_MLP else _other_space(card, config.lr_mlp)
        self._modules: list[_Module] = []
        self.strata = self._described()
        self._mean = truncation.mean_code(
            self.network.mapping, self.architecture.size, self._scale, self.device
        )
        size = self.architecture.resolution
        self.noise_image = (
            noise.uniform(0, range(1), size).to(device)
            if config.noise == "const"
            else torch.full((1, 1, size, size), 0.5, device=device)
        )

    @classmethod
    def examine(cls, part: Part) -> Examined | None:
        """Return sizes and weights, in any layout."""
        return examine(part)

    def map(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        """Map z (N, D), of which only the direction counts, to w (N, D)."""
        w: Tensor = self.network.mapping(z)
        return w

    def begin(self, inputs: Inputs) -> State:
        """Return the noise images (N, 1, H, W), and the first feature map if it is a constant.

        The noise image is kept as the library takes it; its layers read it with x and y exchanged.
        """
        size = self.architecture.resolution
        image = (
            torch.cat([noise.uniform(inputs.noise, range(i, i + 1), size) for i in inputs.index.tolist()])
            if self.config.noise == "fresh"
            else self.noise_image.expand(inputs.n, -1, -1, -1)
        )
        kept = {"noise": sent(image, self.device)}
        if not self.architecture.constant:
            return State(None, None, kept)
        precision = compute_dtype(self.device)  # that of autocast, which is off inside
        with torch.autocast(self.device.type, enabled=False):
            x = self.network.initial(self.network.initial.block.to(precision))
        x = x.expand(inputs.n, -1, -1, -1).contiguous(memory_format=torch.channels_last)
        return State(x, None, kept)

    def stratum(self, s: int, state: State, code: Tensor | None, style: Tensor | None = None) -> State:
        """Add a term of the first feature map, or apply attention, a convolution, or a layer of RGB."""
        entry = self._modules[s]
        precision = compute_dtype(self.device)  # that of autocast, which is off inside
        with torch.autocast(self.device.type, enabled=False):
            if entry.module is None:
                assert code is not None
                return self._first(s, state, code.float(), precision)
            assert state.x is not None
            if isinstance(entry.module, Attention):
                return state.with_x(entry.module(state.x))
            if style is None:
                assert code is not None
                style = entry.module.style(code.float()) + 1.0  # (N, C_s)
            if isinstance(entry.module, ToRGB):
                rgb = entry.module(state.x, style)  # (N, colours, H, W)
                if state.rgb is not None:
                    below = self._block(entry.layer - 1).rgb
                    rgb = below.upsample(state.rgb) + rgb
                return State(state.x, rgb, state.kept)
            return state.with_x(self._convolved(entry, entry.module, state, style))

    def finish(self, state: State) -> Tensor:
        """Return images (N, 3, H, W), or (N, 4, H, W) with alpha; the network's range is [0, 1]."""
        assert state.rgb is not None
        return state.rgb

    def style(self, s: int, code: Tensor) -> Tensor | None:
        """Map codes (N, D) to the factors (N, C_s) of a stratum's channels."""
        module = self._modules[s].module
        return module.style(code) + 1.0 if isinstance(module, Convolution | ToRGB) else None

    def style_weights(self, s: int) -> Tensor | None:
        """Return the matrix (C_s, D) from codes to styles."""
        module = self._modules[s].module
        return module.style.weight if isinstance(module, Convolution | ToRGB) else None

    def _described(self) -> tuple[Stratum, ...]:
        """Fill the list of modules, and return their strata."""
        strata: list[Stratum] = []
        if not self.architecture.constant:
            last = self.architecture.layers - 1
            for layer in range(last + 1):
                self._modules.append(_Module(layer, None))
                strata.append(Stratum(f"initial{layer}", layer, 4, is_feature=layer == last))
        for layer in range(self.architecture.layers):
            block, size = self._block(layer), 4 * 2**layer
            if hasattr(block, "attention"):
                self._modules.append(_Module(layer, block.attention))
                strata.append(Stratum(f"b{size}.attention", None, max(size // 2, 4)))
            for name in ("conv1", "conv2", "rgb"):
                module: Convolution | ToRGB = getattr(block, name)
                self._modules.append(_Module(layer, module))
                strata.append(
                    Stratum(
                        f"b{size}.{name}",
                        layer,
                        size,
                        is_feature=name != "rgb",
                        style_width=module.weight.shape[1],
                    )
                )
        return tuple(strata)

    def _first(self, s: int, state: State, code: Tensor, precision: torch.dtype) -> State:
        """Add the term of layer s to the first feature map; the last one also applies the convolution."""
        x = self.network.initial.map(code) / self.architecture.layers  # (N, C, 4, 4)
        x = x if state.x is None else state.x + x
        if s < self.architecture.layers - 1:
            return state.with_x(x)
        x = self.network.initial(x.to(precision))
        return state.with_x(x.contiguous(memory_format=torch.channels_last))

    def _convolved(self, entry: _Module, module: Convolution, state: State, style: Tensor) -> Tensor:
        """Return the output (N, O, H, W) of a convolution; conv1 of all blocks but the first upsamples."""
        assert state.x is not None
        x = upsample(state.x) if entry.layer and module is self._block(entry.layer).conv1 else state.x
        image = state.kept["noise"][:, :, : x.shape[2], : x.shape[3]].transpose(2, 3)  # (N, 1, H, W)
        y: Tensor = module(x, style, image)
        return y

    def _block(self, layer: int) -> Block:
        """Return the block of a layer."""
        block = self.network.blocks[layer]
        assert isinstance(block, Block)
        return block


def _other_space(card: ModelCard, lr_mlp: float) -> ModelCard:
    """Return a card with another hash of the weights: with another lr_mlp the same weights have another w."""
    return replace(card, weights=hashlib.sha256(f"{card.weights} lr_mlp {lr_mlp!r}".encode()).hexdigest())
