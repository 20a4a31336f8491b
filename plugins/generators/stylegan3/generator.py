"""Run StyleGAN3 as a plugin whose Fourier features and layers are strata that the core composes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import torch
from pydantic import Field, field_validator
from torch import Tensor

from ....core.checkpoints import Part
from ....core.checkpoints.detect import Examined
from ....core.device import compute_dtype
from ....core.plugins.records import ModelCard, State, Stratum
from ..shared import truncation
from ..shared.checkpoints import open_checkpoint
from ..shared.classes import Classes
from ..shared.config import MappingConfig, TruncationConfig
from ..shared.groups import groups_by_size
from ..shared.mapping import FullyConnected
from ..shared.truncated import TruncatedGenerator
from ..shared.unstored import Unstored
from .architecture import Architecture, examine
from .layouts import LAYOUTS
from .movement import Matrix, Movement, check, lookup


class StyleGAN3(TruncatedGenerator):
    """Run StyleGAN3-T and -R (Karras et al. 2021) and StyleGAN-XL (Sauer et al. 2022).

    There is one layer more than convolutions: L = 16 in NVIDIA's published networks, up to 42 in those of
    StyleGAN-XL. Layer 0 shifts and rotates the Fourier features; layer i + 1 modulates convolution i, called
    L{i} in StyleGAN3. There is no noise. In StyleGAN-XL each class has its own mean w.
    """

    class Config(MappingConfig, TruncationConfig):
        """Set checkpoint, classes, truncation, what the file does not state, and the image's transform."""

        output_scale: float | None = Field(
            default=None,
            gt=0.0,
            allow_inf_nan=False,
            description="factor that brings the output of the last layer to [-1, 1]; left out: as the file "
            "states, or else 0.25, as in the published code",
        )
        conv_clamp: Annotated[float, Field(gt=0.0, allow_inf_nan=False)] | Literal["none"] | None = Field(
            default=None,
            description="limit of the absolute output of each layer, or none; left out: as the file states, "
            "or else 256, as in the published code",
        )

        input_transform: Movement | Matrix | None = Field(
            default=None,
            description="transform of the image: translate [right, down] in image widths, "
            "and rotate in degrees counter-clockwise; "
            "or a 3x3 matrix that maps its points, with the origin in the centre, x right, y down; "
            "default as in the checkpoint",
        )

        @field_validator("input_transform")
        @classmethod
        def _invertible(cls, value: Movement | Matrix | None) -> Movement | Matrix | None:
            if isinstance(value, tuple):
                check(value)
            return value

    config: Config
    family = "StyleGAN3"
    layouts = LAYOUTS

    def __init__(self, config: Config, device: torch.device) -> None:
        super().__init__(config, device)
        unstored = Unstored.of(config)
        opened = open_checkpoint(type(self), config, lambda part: examine(part, unstored))
        self.architecture = Architecture.from_plain(opened.description.architecture)
        self.network = opened.network(self.architecture.build, device)
        self.network.precompute()
        self._scale = truncation.scale(
            self.architecture.codes, config.truncation_psi, config.truncation_layers
        )
        self.card: ModelCard = opened.card(truncation=truncation.describe(self._scale))
        self._classes = Classes(self.family, self.architecture.classes, config.classes)
        self._layers = [self.network.layer(name) for name in self.network.synthesis.names]
        self._transform = self.network.synthesis.input.transform
        if config.input_transform is not None:
            self._transform = torch.from_numpy(lookup(config.input_transform)).to(self._transform)
        self.strata = self._strata()

    @classmethod
    def examine(cls, part: Part) -> Examined | None:
        """Return sizes, classes and weights, in any layout."""
        return examine(part)

    @property
    def groups(self) -> Mapping[str, tuple[int, ...]] | None:
        """Layers by sampling rate: bottom (the lowest rate), lower, upper, top (the highest).

        None, which selects the default groups of the core, if all layers have the same rate.
        """
        return groups_by_size((self.architecture.rates[0], *self.architecture.rates))

    def map(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        """Map z (N, Z) to w (N, D); conditional networks also need classes (N,) or weights (N, Y)."""
        w: Tensor = self.network.mapping(z, self._classes.weights(condition, z))
        return w

    def broadcast(self, w: Tensor, condition: Tensor | None = None) -> Tensor:
        """Expand w (N, D) to codes (N, L, D), truncated towards the mean w.

        The mean is that of the class in a conditional StyleGAN-XL, which therefore needs classes (N,) or
        weights (N, Y) to truncate. Weights mix the means of classes.
        """
        mean = self.network.mapping.w_avg  # (D,) or (Y, D)
        if self.architecture.table is None:
            return truncation.truncate(w, mean, self._scale)
        if not (self._scale != 1.0).any():
            return truncation.truncate(w, w.new_zeros(w.shape[1]), self._scale)
        weights = self._classes.weights(condition, w)  # (N, Y)
        assert weights is not None
        return truncation.truncate(w, (weights @ mean.to(w))[:, None], self._scale)

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
        """Return pictures (N, channels, H, W), with [-1, 1] mapped to [0, 1], alpha too."""
        assert state.rgb is not None
        return (state.rgb * self.architecture.output_scale + 1.0) / 2.0

    def style(self, s: int, code: Tensor) -> Tensor | None:
        """Map codes (N, D) to the styles (N, C_s) of a stratum.

        The styles of the Fourier features are (N, 4): cosine and sine of a rotation, shift right and down.
        """
        style: Tensor = self._affine(s)(code)
        return style

    def style_weights(self, s: int) -> Tensor | None:
        """Return the matrix (C_s, D) from codes to styles, with the equalised learning rate applied."""
        weight = self._affine(s).weight
        scaled: Tensor = weight / weight.shape[1] ** 0.5
        return scaled

    def _affine(self, s: int) -> FullyConnected:
        return self._layers[s - 1].affine if s else self.network.synthesis.input.affine

    def _strata(self) -> tuple[Stratum, ...]:
        """Return the strata, with the size of the image within each feature map, and the margin around it."""
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
