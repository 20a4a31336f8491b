"""Run StyleGAN-T as a plugin whose layers are strata that the core composes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

import torch
from pydantic import Field
from torch import Tensor

from ....core.checkpoints import Part
from ....core.checkpoints.detect import Examined
from ....core.device import compute_dtype
from ....core.errors import CheckpointError
from ....core.plugins.records import Inputs, ModelCard, State, Stratum
from ....core.storage.paths import user_path
from ..shared import noise, truncation
from ..shared.checkpoints import open_checkpoint
from ..shared.classes import Classes
from ..shared.config import StyleConfig
from ..shared.fourier import FourierInput
from ..shared.groups import groups_by_size
from ..shared.modulated import upsample_rgb
from ..shared.truncated import TruncatedGenerator
from .architecture import FAMILY, Architecture, examine
from .layouts import LAYOUTS
from .network import CLAMP, Block, Layer, ToRGB
from .texts import assumptions, read_texts


class _Module(NamedTuple):
    """Hold the module of a stratum and its block."""

    block: Block
    module: FourierInput | Layer | ToRGB


class StyleGANT(TruncatedGenerator):
    """Run the generator of StyleGAN-T (Sauer et al. 2023); text embeddings come from a file.

    The network's w is [x, c]: x (Z,), which its mapping network makes of z, and the text embedding c (T,).
    Codes are x alone, D = Z. The text is a condition, the same at all layers: so directions, and the random
    ones that they are compared with, move the picture of a text and never leave the text.

    Each block has a layer for the Fourier features or its first convolution, and one for each further
    convolution. ToRGB shares its layer with the first convolution of the next block, and the last ToRGB has
    a layer of its own: L = 1 + blocks (1 + 2 residual blocks).
    """

    class Config(StyleConfig):
        """Set checkpoint, texts, truncation and noise."""

        text: str | None = Field(
            default=None,
            description="file of one text embedding (T,) or of several (N, T), such as a .npy or .pt that "
            "CLIP has made, each divided by its length; left out: zeros, which are those of no text",
        )
        classes: Literal["sampled"] | int | list[int] = Field(
            default="sampled",
            description="rows of `text`, if it has several, that samples draw from: one, a list, or sampled "
            "for all",
        )

    config: Config
    family = FAMILY
    layouts = LAYOUTS

    def __init__(self, config: Config, device: torch.device) -> None:
        super().__init__(config, device)
        opened = open_checkpoint(type(self), config)
        self.architecture = Architecture.from_plain(opened.description.architecture)
        self.network = opened.network(self.architecture.build, device)
        self.network.precompute()
        width = self.architecture.text
        if config.text is not None and not width:
            raise CheckpointError(f"text: this {FAMILY} is unconditional and takes no text; leave it out")
        texts = None if config.text is None else read_texts(user_path(config.text), width)
        self._texts = (torch.zeros(1, width) if texts is None else texts).to(device)  # (Y, T)
        count = len(self._texts)
        self._classes = Classes(self.family, count if count > 1 else 0, config.classes)
        self._scale = truncation.scale(
            len(self.architecture.sizes), config.truncation_psi, config.truncation_layers
        )
        self.card: ModelCard = opened.card(
            truncation=truncation.describe(self._scale), assumptions=assumptions(texts) if width else ()
        )
        self._modules: list[_Module] = []
        strata: list[Stratum] = []
        layer = 0
        for size in self.network.sizes:
            block = self.network.block(size)
            for name, module in _modules(block):
                self._modules.append(_Module(block, module))
                is_rgb = isinstance(module, ToRGB)
                inputs = 4 if isinstance(module, FourierInput) else module.weight.shape[1]
                strata.append(
                    Stratum(
                        f"b{size}.{name}",
                        layer,
                        size,
                        is_feature=not is_rgb,
                        style_width=None if self._classes.count else inputs,
                    )
                )
                layer += not is_rgb
        self.strata = tuple(strata)
        self._noisy = {
            s: (strata[s].height, strata[s].size)
            for s, (_, module) in enumerate(self._modules)
            if not isinstance(module, FourierInput | ToRGB)
        }

    @classmethod
    def examine(cls, part: Part) -> Examined | None:
        """Return sizes and weights."""
        return examine(part)

    @property
    def groups(self) -> Mapping[str, tuple[int, ...]] | None:
        """Layers by block: bottom (the first), lower, upper, top (the last); None with one block."""
        return groups_by_size(self.architecture.sizes)

    def map(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        """Map z (N, Z) to x (N, Z), which does not depend on the text."""
        x: Tensor = self.network.mapping(z)
        return x

    def broadcast(self, w: Tensor, condition: Tensor | None = None) -> Tensor:
        """Expand x (N, Z) to codes (N, L, Z), truncated towards the stored mean x."""
        return truncation.truncate(w, self.network.mapping.x_avg, self._scale)

    def begin(self, inputs: Inputs) -> State:
        """Return an empty state with text embeddings (N, T) and fresh noise, if used."""
        kept = noise.kept(self.config.noise, inputs, self._noisy, self.device)
        weights = self._classes.weights(inputs.condition, torch.empty(inputs.n, device=self.device))
        if weights is not None:
            kept["text"] = weights @ self._texts
        return State(None, kept=kept)

    def stratum(self, s: int, state: State, code: Tensor | None, style: Tensor | None = None) -> State:
        """Apply the Fourier features, a convolution, or add the output of ToRGB to the RGB so far."""
        block, module = self._modules[s]
        precision = compute_dtype(self.device)  # that of autocast, which is off inside
        with torch.autocast(self.device.type, enabled=False):
            if style is None:
                assert code is not None
                style = module.affine(self._joined(code.float(), state.kept.get("text")))  # (N, C_s)
            if isinstance(module, FourierInput):
                x = module(style, module.transform).to(precision)
                return State(x, None, state.kept)
            assert state.x is not None
            if isinstance(module, ToRGB):
                rgb = module(state.x, style, CLAMP)  # (N, colours, H, W)
                if state.rgb is not None:
                    rgb = upsample_rgb(state.rgb, block.resample_filter) + rgb
                return State(state.x, rgb, state.kept)
            constant = module.noise_const[None, None]
            added = noise.of_part(self.config.noise, s, state.kept, constant)
            return state.with_x(module.apply_to(state.x, style, added))

    def noise_map(self, s: int, inputs: Inputs) -> Tensor | None:
        """Return the unscaled noise (N or 1, 1, h, w) of a convolution; None for other strata."""
        module = self._modules[s][1]
        if isinstance(module, FourierInput | ToRGB):
            return None
        constant = module.noise_const[None, None]
        return noise.of_inputs(self.config.noise, s, self.strata[s], inputs, constant)

    def finish(self, state: State) -> Tensor:
        """Return pictures (N, channels, H, W), with [-1, 1] mapped to [0, 1], alpha too."""
        assert state.rgb is not None
        return (state.rgb + 1.0) / 2.0

    def style(self, s: int, code: Tensor) -> Tensor | None:
        """Map codes (N, Z) to the styles (N, C_s) of a stratum; None with several texts, on which it depends.

        The styles of the Fourier features are (N, 4): cosine and sine of a rotation, shift right and down.
        """
        if self._classes.count:
            return None
        style: Tensor = self._modules[s].module.affine(self._joined(code, None))
        return style

    def style_weights(self, s: int) -> Tensor | None:
        """Return the matrix (4, Z) of the Fourier features; None for styles of second order."""
        module = self._modules[s].module
        if not isinstance(module, FourierInput) or self._classes.count:
            return None
        weight = module.affine.weight
        scaled: Tensor = weight[:, : self.architecture.z_dim] / weight.shape[1] ** 0.5
        return scaled

    def _joined(self, code: Tensor, text: Tensor | None) -> Tensor:
        """Return w = [x, c] (N, Z + T) for codes (N, Z) and text embeddings (N, T); None is the only text."""
        text = self._texts.expand(len(code), -1) if text is None else text
        return torch.cat([code, text], dim=1)


def _modules(block: Block) -> list[tuple[str, FourierInput | Layer | ToRGB]]:
    """Return the modules of a block that read w, with their names, in the order in which they compute."""
    first = "input" if hasattr(block, "input") else "conv0"
    names = [first, *(f"convs1.{i}" for i in range(len(block.convs1)))]
    names += ["torgb"] if hasattr(block, "torgb") else []
    modules = [(name, block.get_submodule(name)) for name in names]
    return [(name, module) for name, module in modules if isinstance(module, FourierInput | Layer | ToRGB)]
