"""The StyleGAN2 plugin: its blocks as strata that the core composes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from ....core.checkpoints import locate, read_checkpoint
from ....core.contracts import Generator, PluginConfig
from ....core.device import compute_dtype, settled
from ....core.errors import CheckpointError, DataError
from ....core.layers import resolution_groups
from ....core.randomness import Stream, Use, normals, uniforms
from ....core.records import Inputs, Latents, ModelCard, State, Stratum
from ....core.shapes import check_shape
from .architecture import load_network
from .network import Block, SynthesisLayer, ToRGB, upsample_rgb


class _Place(NamedTuple):
    """Which module a stratum is."""

    block: Block
    module: SynthesisLayer | ToRGB
    size: int


class StyleGAN2(Generator):
    """StyleGAN2 with skip connections to RGB (Karras et al. 2020), L = 2 log2(resolution) - 2 layers.

    Layer 2b drives the first convolution that reads resolution 4 * 2^b; the ToRGB of a resolution
    shares its layer with the next resolution's first convolution, as in NVIDIA's PyTorch release.
    """

    class Config(PluginConfig):
        """Checkpoint, truncation, noise and classes."""

        checkpoint: str = Field(description="a safetensors or torch file, or bundled:rooms")
        truncation_psi: float = Field(default=1.0, ge=0.0, le=1.0, description="pulls w towards its mean; 1 is none")
        truncation_layers: int | None = Field(default=None, ge=0, description="how many layers are truncated; default all")
        noise: Literal["const", "fresh", "none"] = Field(default="const", description="const: as in the checkpoint; fresh: per sample")
        classes: Literal["sampled"] | list[int] = Field(default="sampled", description="for conditional networks: which classes to draw")

    config: Config

    def __init__(self, config: Config, device: torch.device) -> None:
        super().__init__(config, device)
        checkpoint = read_checkpoint(locate(config.checkpoint, "generator"))
        network, self.architecture = load_network(checkpoint)
        self.network = settled(network, device)
        layers = self.architecture.layers
        self._cut = layers if config.truncation_layers is None else min(config.truncation_layers, layers)
        truncated = config.truncation_psi < 1.0 and self._cut > 0
        self.card = ModelCard(
            family="StyleGAN2",
            resolution=self.architecture.resolution,
            layers=layers,
            code_size=self.architecture.w_dim,
            latent_size=self.architecture.z_dim,
            licence=str(checkpoint.settings.get("licence", "unknown")),
            source=str(checkpoint.settings.get("source", checkpoint.path.name)),
            sha256=checkpoint.sha256,
            truncation=f"psi {config.truncation_psi:g} on layers 0-{self._cut - 1}" if truncated else "none",
        )
        self._classes = self._drawn_classes(config.classes)
        self._places: list[_Place] = []
        strata: list[Stratum] = []
        layer = 0
        for size in self.network.sizes:
            block = self.network.block(size)
            for name in ("conv1",) if size == 4 else ("conv0", "conv1"):
                module: SynthesisLayer = getattr(block, name)
                self._places.append(_Place(block, module, size))
                strata.append(Stratum(f"b{size}.{name}", layer, size, style_width=module.weight.shape[1]))
                layer += 1
            self._places.append(_Place(block, block.torgb, size))
            strata.append(Stratum(f"b{size}.torgb", layer, size, is_feature=False, style_width=block.torgb.weight.shape[1]))
        self.strata = tuple(strata)

    @property
    def layer_scale(self) -> NDArray[np.float32]:
        """Psi on the truncated layers, 1 elsewhere: (L,)."""
        scale = np.ones(self.card.layers, dtype=np.float32)
        scale[: self._cut] = self.config.truncation_psi
        return scale

    @property
    def groups(self) -> Mapping[str, tuple[int, ...]]:
        """Bottom is 4 pixels, top the final resolution, lower and upper share those between."""
        return resolution_groups(self.card.resolution)

    def sample(self, n: int, seed: int, start: int, stream: Stream) -> Latents:
        """Normal z; for conditional networks a class each, drawn evenly from those configured."""
        latents = super().sample(n, seed, start, stream)
        if not self._classes:
            return latents
        draws = [uniforms(seed, stream, Use.CONDITION, i, 1)[0] for i in range(start, start + n)]
        chosen = [self._classes[int(draw * len(self._classes))] for draw in draws]
        return Latents(latents.z, torch.tensor(chosen, device=self.device), latents.index)

    def map(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        """Z (N, Z), and classes (N,) or class weights (N, Y) of conditional networks, to w (N, D)."""
        count = self.architecture.classes
        if not count:
            return self.network.mapping(z)  # type: ignore[no-any-return]
        if condition is None:
            raise DataError(f"this StyleGAN2 is conditional: map(z, condition) needs classes 0 to {count - 1} for every sample")
        if condition.is_floating_point():
            check_shape(condition, "N Y", where="class weights handed to map", N=z.shape[0], Y=count)
            return self.network.mapping(z, condition.to(z))  # type: ignore[no-any-return]
        check_shape(condition, "N", where="classes handed to map", N=z.shape[0])
        if ((condition < 0) | (condition >= count)).any():
            raise DataError(f"this StyleGAN2 has classes 0 to {count - 1}; map was given {sorted(set(condition.tolist()))}")
        weights = torch.nn.functional.one_hot(condition.long(), count)
        return self.network.mapping(z, weights.to(z))  # type: ignore[no-any-return]

    def broadcast(self, w: Tensor) -> Tensor:
        """W (N, D) to codes (N, L, D), truncated towards the mean w (StyleGAN, appendix B)."""
        scale = torch.from_numpy(self.layer_scale).to(w)[None, :, None]  # (1, L, 1)
        mean = self.network.mapping.w_avg.to(w)
        return torch.where(scale == 1.0, w[:, None], mean + (w[:, None] - mean) * scale)

    def begin(self, inputs: Inputs) -> State:
        """The learned constant, one copy per sample; with fresh noise, its key for every sample."""
        const = self.network.block(4).const.to(compute_dtype(self.device))
        x = const.expand(inputs.n, -1, -1, -1).contiguous(memory_format=torch.channels_last)
        if self.config.noise != "fresh":
            return State(x)
        key = torch.stack([torch.full_like(inputs.index, inputs.noise), inputs.index], dim=1)  # (N, 2)
        return State(x, kept={"noise": key})

    def stratum(self, s: int, state: State, code: Tensor | None, style: Tensor | None = None) -> State:
        """A modulated convolution, or ToRGB added to the upsampled running RGB."""
        place = self._places[s]
        assert state.x is not None
        with torch.autocast(self.device.type, enabled=False):
            if style is None:
                assert code is not None
                style = place.module.affine(code.float())
            if isinstance(place.module, ToRGB):
                y = place.module(state.x, style, self.architecture.clamp)
                rgb = y if state.rgb is None else upsample_rgb(state.rgb, place.block.resample_filter) + y
                return State(state.x, rgb, state.kept)
            noise = self._noise(s, place, state)
            return State(place.module(state.x, style, noise, self.architecture.clamp), state.rgb, state.kept)

    def finish(self, state: State) -> Tensor:
        """The network's [-1, 1] as [0, 1]."""
        assert state.rgb is not None
        return (state.rgb + 1.0) / 2.0

    def style(self, s: int, code: Tensor) -> Tensor | None:
        """What the affine gives for codes (N, D): (N, C_s)."""
        style: Tensor = self._places[s].module.affine(code)
        return style

    def style_weights(self, s: int) -> Tensor | None:
        """The affine's weights (C_s, D), at their true scale."""
        weight: Tensor = self._places[s].module.affine.weight
        scaled: Tensor = weight / weight.shape[1] ** 0.5
        return scaled

    def _noise(self, s: int, place: _Place, state: State) -> Tensor | None:
        """Noise of stratum s: (1 or N, 1, H, W), or None."""
        if self.config.noise == "none":
            return None
        if self.config.noise == "const":
            assert isinstance(place.module, SynthesisLayer)
            return place.module.noise_const[None, None]
        size = place.size
        rows = [
            normals(seed, Stream.PROBING, Use.NOISE, range(i, i + 1), size * size, part=s).reshape(1, size, size)
            for seed, i in state.kept["noise"].tolist()
        ]
        return torch.from_numpy(np.stack(rows)).to(self.device)

    def _drawn_classes(self, asked: Literal["sampled"] | list[int]) -> list[int]:
        count = self.architecture.classes
        if asked == "sampled":
            return list(range(count))
        if not count:
            raise CheckpointError("classes are configured, but this StyleGAN2 is unconditional; leave `classes` out")
        wrong = [c for c in asked if not 0 <= c < count]
        if wrong or not asked:
            raise CheckpointError(f"classes {asked}: this StyleGAN2 has classes 0 to {count - 1}")
        return list(asked)
