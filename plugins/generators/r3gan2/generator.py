"""Run R3GAN2 as a plugin whose blocks are strata that the core composes."""

from __future__ import annotations

from dataclasses import replace

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from ....core.checkpoints import Part
from ....core.checkpoints.detect import Examined
from ....core.device import compute_dtype
from ....core.errors import CheckpointError
from ....core.plugins.records import Inputs, ModelCard, State, Stratum
from ..shared import noise
from ..shared.checkpoints import open_checkpoint
from ..shared.classes import Classes
from ..shared.config import ClassConfig, NoiseConfig
from ..shared.published import PublishedGenerator
from .architecture import FAMILY, Architecture, examine
from .decoding import LIBRARY, Decoder, download, latent_stats, load_decoder
from .layers import Attention, FeedForward, Up
from .layouts import LAYOUTS
from .network import Stage


class R3GAN2(PublishedGenerator):
    """Run R3GAN2 (IFeelBloated 2026), with one layer and w = z.

    Only the first stratum reads a code. The network gives a picture, or latents that a decoder turns into
    one.
    """

    class Config(NoiseConfig, ClassConfig):
        """Set checkpoint, classes, noise, and the decoder of latents."""

        decoder: str | None = Field(
            default=None,
            description="local folder of the VAE (config.json and safetensors, as diffusers saves it) that "
            "decodes latents, for networks trained on latents; its path has a separator, such as ./sd-vae",
        )
        latent_stats: str | None = Field(
            default=None,
            description="file with mean and std of the latents of FLUX.2's VAE, with which the network was "
            "trained; left out: the values of the authors' latent_stats.npz",
        )

    config: Config
    family = FAMILY
    layouts = LAYOUTS

    def __init__(self, config: Config, device: torch.device) -> None:
        super().__init__(config, device)
        opened = open_checkpoint(type(self), config)
        self.architecture = Architecture.from_plain(opened.description.architecture)
        self._decoder = self._decoder_of(config)
        self.network = opened.network(self.architecture.build, device)
        self.network.fold()
        self._classes = Classes(self.family, self.architecture.classes, config.classes)
        self._modules: list[torch.nn.Module] = [self.network.head]
        size = 2 * self.architecture.side
        strata = [Stratum("head", 0, size, style_width=self.architecture.inside)]
        for stage in self.network.stages:
            assert isinstance(stage, Stage)
            if hasattr(stage, "up"):
                size *= 2
                self._modules.append(stage.up)
                strata.append(Stratum(f"b{size}.up", None, size))
            for j, block in enumerate(stage.blocks):
                self._modules.append(block)
                kind = "attention" if isinstance(block, Attention) else "block"
                strata.append(Stratum(f"b{size}.{kind}{j}", None, size))
        strata.append(Stratum("output", None, size, is_feature=False))
        card: ModelCard = opened.card(assumptions=(noise.UNSTORED[config.noise],))
        if self._decoder is not None:
            self.packages = (LIBRARY,)
            strata.append(Stratum("decoder", None, self.architecture.resolution, is_feature=False))
            card = replace(card, source=f"{card.source}; decoder of weights {self._decoder.sha256[:16]}")
        self.card = card
        self.strata = tuple(strata)
        self._noisy = {
            s: (strata[s].height, strata[s].size)
            for s, module in enumerate(self._modules)
            if isinstance(module, FeedForward)
        }
        self._fixed = {
            s: noise.fixed(size, s)[None, None].to(device)
            for s, size in self._noisy.items()
            if config.noise == "const"
        }

    @classmethod
    def examine(cls, part: Part) -> Examined | None:
        """Return sizes, classes and weights, in any layout."""
        return examine(part)

    def begin(self, inputs: Inputs) -> State:
        """Return a state with what bias and class add to the style, (N, 2C), and fresh noise."""
        z_dim, linear = self.architecture.z_dim, self.network.head.linear
        weights = self._classes.weights(inputs.condition, torch.empty(inputs.n, device=self.device))
        with torch.autocast(self.device.type, enabled=False):
            added = linear[:, -1].expand(inputs.n, -1)  # (N, 2C)
            if weights is not None:
                added = added + F.linear(weights @ self.network.embed, linear[:, z_dim:-1])
        return State(
            None, kept={"added": added, **noise.kept(self.config.noise, inputs, self._noisy, self.device)}
        )

    def stratum(self, s: int, state: State, code: Tensor | None, style: Tensor | None = None) -> State:
        """Apply the head, an upsampling layer, a block, the output layer, or the decoder."""
        precision = compute_dtype(self.device)
        with torch.autocast(self.device.type, enabled=False):
            if s == 0:
                if style is None:
                    assert code is not None
                    style = self.style(0, code.float())
                assert style is not None
                x = self.network.head(style + state.kept["added"])
                return State(x.to(precision), kept=state.kept)
            if self.strata[s].name == "decoder":
                assert self._decoder is not None
                assert state.rgb is not None
                return State(state.x, self._decoder(state.rgb), state.kept)
            assert state.x is not None
            if self.strata[s].name == "output":
                return State(state.x, self.network.picture(state.x).float(), state.kept)
            module = self._modules[s]
            if isinstance(module, Up):
                return state.with_x(module(state.x))
            if not isinstance(module, FeedForward):
                return state.with_x(module(state.x, None))
            added = noise.of_part(self.config.noise, s, state.kept, self._fixed.get(s))
            return state.with_x(module(state.x, added))

    def noise_map(self, s: int, inputs: Inputs) -> Tensor | None:
        """Return the unscaled noise (N or 1, 1, h, w) of a feed-forward block; None for other strata."""
        if s >= len(self._modules) or not isinstance(self._modules[s], FeedForward):
            return None
        return noise.of_inputs(self.config.noise, s, self.strata[s], inputs, self._fixed.get(s))

    def finish(self, state: State) -> Tensor:
        """Return images (N, 3, H, W): decoded ones, or with [-1, 1] mapped to [0, 1]."""
        assert state.rgb is not None
        return state.rgb if self._decoder is not None else (state.rgb + 1.0) / 2.0

    def style(self, s: int, code: Tensor) -> Tensor | None:
        """Return what codes (N, D) give the channels of the head, (N, 2C), without bias and class."""
        weight = self.style_weights(s)
        return None if weight is None else F.linear(code, weight)

    def style_weights(self, s: int) -> Tensor | None:
        """Return the matrix (2C, D) from codes to the channels of the head."""
        weight: Tensor = self.network.head.linear[:, : self.architecture.z_dim]
        return weight if s == 0 else None

    def _decoder_of(self, config: Config) -> Decoder | None:
        """Load the decoder of latents; None for a network that gives pictures.

        Raises:
            CheckpointError: it is missing, does not fit, or is configured for a network that needs none.
        """
        encoding = self.architecture.encoding
        if config.latent_stats is not None:
            if encoding.kind != "flux2":
                raise CheckpointError(
                    f"{config.checkpoint}: latent_stats is configured, but this {FAMILY} gives no latents of "
                    "FLUX.2; leave it out"
                )
            means, deviations = latent_stats(config.latent_stats, encoding)
            encoding = replace(encoding, means=means, deviations=deviations)
        if encoding.kind == "rgb":
            if config.decoder is not None:
                raise CheckpointError(
                    f"{config.checkpoint}: decoder is configured, but this {FAMILY} gives pictures; "
                    "leave it out"
                )
            return None
        if config.decoder is None:
            raise CheckpointError(
                f"{config.checkpoint}: this {FAMILY} gives latents, and the VAE that decodes them "
                f"({encoding.vae}) is not in the file; name its folder: {download(encoding)}"
            )
        return load_decoder(config.decoder, encoding, self.device)
