"""Run StyleGAN3 as a plugin whose Fourier features and layers are strata that the core composes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, field_validator
from torch import Tensor

from ....core.checkpoints import Part
from ....core.checkpoints.detect import Examined
from ....core.device import compute_dtype, for_inference
from ....core.plugins.contracts import Generator
from ....core.plugins.records import Latents, Match, ModelCard, State, Stratum
from ....core.randomness import Stream
from ....core.strata.layers import GROUP_NAMES
from ..shared import truncation
from ..shared.checkpoints import open_checkpoint
from ..shared.classes import Classes
from ..shared.config import TruncationConfig
from ..shared.layouts import find
from ..shared.mapping import FullyConnected
from ..shared.state_dicts import load
from .architecture import Architecture, examine
from .layouts import LAYOUTS
from .movement import Matrix, Movement, check, lookup


class StyleGAN3(Generator):
    """Run StyleGAN3-T and -R (Karras et al. 2021), with L = number of convolutions + 1, 16 if published.

    Layer 0 drives the Fourier features, which it moves and turns; layer i + 1 drives the convolution L{i}.
    There is no noise.
    """

    class Config(TruncationConfig):
        """Hold checkpoint, truncation, classes, and the transform of the image."""

        input_transform: Movement | Matrix | None = Field(
            default=None,
            description="moves the picture: translate [right, down] in picture widths, "
            "rotate in degrees counter-clockwise; "
            "or a 3x3 matrix of where its points go, origin in the centre, x right, y down; "
            "default as in the checkpoint",
        )

        @field_validator("input_transform")
        @classmethod
        def _invertible(cls, value: Movement | Matrix | None) -> Movement | Matrix | None:
            if isinstance(value, tuple):
                check(value)
            return value

    config: Config
    judges_range = False  # any weights are accepted

    def __init__(self, config: Config, device: torch.device) -> None:
        super().__init__(config, device)
        opened = open_checkpoint(type(self), config)
        self.architecture = Architecture.from_plain(opened.description.architecture)
        self.network = for_inference(
            load(self.architecture.build, opened.description, opened.checkpoint.path), device
        )
        self.network.precompute()
        self._scale = truncation.scale(
            self.architecture.codes, config.truncation_psi, config.truncation_layers
        )
        self.card: ModelCard = opened.card(truncation=truncation.describe(self._scale))
        self._classes = Classes("StyleGAN3", self.architecture.classes, config.classes)
        self._layers = [self.network.layer(name) for name in self.network.synthesis.names]
        self._transform = self.network.synthesis.input.transform
        if config.input_transform is not None:
            self._transform = torch.from_numpy(lookup(config.input_transform)).to(self._transform)
        self.strata = self._strata()

    @classmethod
    def recognise(
        cls, names_and_shapes: Mapping[str, tuple[int, ...]], settings: Mapping[str, object]
    ) -> Match | None:
        """Recognise tensor names; StyleGAN-XL, which shares most of them, is another family."""
        layout = find(LAYOUTS, names_and_shapes)
        return None if layout is None else Match(1.0, f"StyleGAN3 in the {layout.name} layout")

    @classmethod
    def examine(cls, part: Part) -> Examined | None:
        """Return sizes, classes and weights."""
        return examine(part)

    @property
    def layer_scale(self) -> NDArray[np.float32]:
        """Psi on the truncated layers and 1 elsewhere, (L,)."""
        return self._scale

    @property
    def groups(self) -> Mapping[str, tuple[int, ...]] | None:
        """Layers by sampling rate: bottom the lowest, top the highest, lower and upper share the rest.

        None, for the core's own, where there is one rate only.
        """
        rates = (self.architecture.rates[0], *self.architecture.rates)  # of each code's stratum
        steps = sorted(set(rates))
        if len(steps) == 1:
            return None
        between = steps[1:-1]
        half = len(between) // 2
        cut = dict(zip(GROUP_NAMES, (steps[:1], between[:half], between[half:], steps[-1:]), strict=True))
        groups = {
            name: tuple(layer for layer, rate in enumerate(rates) if rate in members)
            for name, members in cut.items()
        }
        return {name: layers for name, layers in groups.items() if layers}

    def sample(self, n: int, seed: int, start: int, stream: Stream) -> Latents:
        """Draw normal z (n, Z), and for conditional networks a configured class each, uniformly."""
        return self._classes.sample(super().sample(n, seed, start, stream), seed, stream)

    def map(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        """Map z (N, Z), and classes (N,) or weights (N, Y) of conditional networks, to w (N, D)."""
        w: Tensor = self.network.mapping(z, self._classes.weights(condition, z))
        return w

    def broadcast(self, w: Tensor) -> Tensor:
        """Expand w (N, D) to codes (N, L, D), truncated towards the mean w."""
        return truncation.truncate(w, self.network.mapping.w_avg, self._scale)

    def stratum(self, s: int, state: State, code: Tensor | None, style: Tensor | None = None) -> State:
        """Apply the Fourier features, a convolution with its filtered nonlinearity, or the output."""
        dtype = compute_dtype(self.device)
        with torch.autocast(self.device.type, enabled=False):
            if style is None:
                assert code is not None
                style = self._affine(s)(code.float())
            if s == 0:
                return State(self.network.synthesis.input(style, self._transform).to(dtype))
            assert state.x is not None
            layer = self._layers[s - 1]
            if s == len(self._layers):
                return State(state.x, layer.to_rgb(state.x, style, self.architecture.clamp))
            return State(layer(state.x, style, self.architecture.clamp))

    def finish(self, state: State) -> Tensor:
        """Return images (N, 3, H, W), with [-1, 1] mapped to [0, 1] and grey repeated in three channels."""
        assert state.rgb is not None
        images = (state.rgb * self.architecture.output_scale + 1.0) / 2.0
        return images if images.shape[1] == 3 else images.expand(-1, 3, -1, -1)

    def style(self, s: int, code: Tensor) -> Tensor | None:
        """Return the affine's styles for codes (N, D), (N, C_s).

        Those of the Fourier features are cosine, sine, right and down, (N, 4).
        """
        style: Tensor = self._affine(s)(code)
        return style

    def style_weights(self, s: int) -> Tensor | None:
        """Return the affine's weights (C_s, D), with the equalised learning rate applied."""
        weight = self._affine(s).weight
        scaled: Tensor = weight / weight.shape[1] ** 0.5
        return scaled

    def _affine(self, s: int) -> FullyConnected:
        return self._layers[s - 1].affine if s else self.network.synthesis.input.affine

    def _strata(self) -> tuple[Stratum, ...]:
        """Return strata with the sizes of the image; maps extend beyond it by their margin."""
        layers, rates = self.architecture.layers, self.architecture.rates
        margin = (layers[0].before - rates[0]) // 2
        strata = [Stratum("input", 0, layers[0].before - 2 * margin, margin, style_width=4)]
        for i, (sizes, rate, name) in enumerate(
            zip(layers, rates, self.network.synthesis.names, strict=True)
        ):
            margin = max((sizes.after - rate) // 2, 0)
            last = i == len(layers) - 1
            strata.append(
                Stratum(
                    name,
                    i + 1,
                    sizes.after - 2 * margin,
                    margin,
                    is_feature=not last,
                    style_width=sizes.inputs,
                )
            )
        return tuple(strata)
