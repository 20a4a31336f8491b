"""Run FastGAN as a plugin whose blocks are strata that the core composes."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from ....core.checkpoints import Part
from ....core.checkpoints.detect import Examined
from ....core.device import compute_dtype
from ....core.plugins.records import Inputs, ModelCard, State, Stratum
from ..shared import noise
from ..shared.checkpoints import open_checkpoint
from ..shared.classes import Classes
from ..shared.config import ClassConfig, NoiseConfig
from ..shared.mapping import normalise_second_moment
from ..shared.published import PublishedGenerator
from ..shared.unstored import Unstored
from .architecture import Architecture, examine
from .layouts import LAYOUTS
from .network import Block, Excitation, Weight


class FastGAN(PublishedGenerator):
    """Run FastGAN (Liu et al. 2021) and its form in Projected GAN (Sauer et al. 2021); w = z.

    Layer 0 is z as the feature maps see it. Every skip-layer excitation has a layer of its own: it scales
    the channels of a level of r pixels by what the level of r / 16 pixels makes of the code of that layer.
    With one code for all layers this is the network; with another code at the excitations, it is the
    exchange of styles of section 4.2.
    """

    class Config(NoiseConfig, ClassConfig):
        """Set checkpoint, classes, noise, and what the file does not store."""

        final_tanh: bool | None = Field(
            default=None,
            description="whether tanh is applied to the picture; left out: as the file states, or else as in "
            "the authors' code, from 1024 pixels up, and never in projected-gan",
        )

    config: Config
    family = "FastGAN"
    layouts = LAYOUTS

    def __init__(self, config: Config, device: torch.device) -> None:
        super().__init__(config, device)
        unstored = Unstored.of(config)
        opened = open_checkpoint(type(self), config, lambda part: examine(part, unstored))
        self.architecture = Architecture.from_plain(opened.description.architecture)
        self.network = opened.network(self.architecture.build, device)
        self.network.fold()
        noisy = any(self.architecture.doubled)
        self.card: ModelCard = opened.card(assumptions=(noise.UNSTORED[config.noise],) if noisy else ())
        self._classes = Classes(self.family, self.architecture.classes, config.classes)
        strata = [Stratum("init", 0, 4)]
        for level in range(1, len(self.architecture.widths)):
            size = 4 * 2**level
            strata.append(Stratum(f"feat_{size}", None, size))
            if size in self.architecture.excited:
                strata.append(Stratum(f"se_{size}", 1 + self.architecture.excited.index(size), size))
        self.strata = (*strata, Stratum("to_big", None, self.architecture.resolution, is_feature=False))
        self._noisy = {
            _part(int(size), number): (int(size), int(size))
            for size in self.network.blocks
            for number, (_, strength) in enumerate(self._block(size).layers())
            if strength is not None
        }
        self._fixed = {
            part: noise.fixed(size, part)[None, None].to(device)
            for part, size in self._noisy.items()
            if config.noise == "const"
        }

    @classmethod
    def examine(cls, part: Part) -> Examined | None:
        """Return sizes, classes and weights, in any layout."""
        return examine(part)

    @property
    def groups(self) -> Mapping[str, tuple[int, ...]] | None:
        """Layers by group: `content`, the feature maps, and `style`, the excitations; None without these."""
        layers = tuple(range(1, self.architecture.layers))
        return {"content": (0,), "style": layers} if layers else None

    def begin(self, inputs: Inputs) -> State:
        """Return an empty state with fresh noise and the class vectors (N, E), if used."""
        kept = noise.kept(self.config.noise, inputs, self._noisy, self.device)
        weights = self._classes.weights(inputs.condition, torch.empty(inputs.n, device=self.device))
        if weights is not None:
            with torch.autocast(self.device.type, enabled=False):
                kept["class"] = weights @ self.network.embed  # (N, E)
        return State(None, kept=kept)

    def stratum(self, s: int, state: State, code: Tensor | None, style: Tensor | None = None) -> State:
        """Make the first feature map, double its size, excite its channels, or make the picture."""
        name = self.strata[s].name
        size = self.strata[s].size
        precision = compute_dtype(self.device)  # that of autocast, which is off inside
        with torch.autocast(self.device.type, enabled=False):
            if s == 0:
                assert code is not None
                x = self._first(code, precision)
                return State(x, None, {**state.kept, "code": code, "feat_4": x})
            assert state.x is not None
            if code is not None:
                excitation = self.network.excitations[str(size)]
                assert isinstance(excitation, Excitation)
                return state.with_x(state.x * excitation(self._low(size // 16, code, state.kept)))
            if name == "to_big":
                output = self.network.output
                y = F.conv2d(
                    state.x, output.folded.to(state.x.dtype), padding=1
                ).float()  # (N, colours, H, W)
                y = y if output.bias is None else y + output.bias[:, None, None]
                return State(state.x, torch.tanh(y) if self.architecture.tanh else y, state.kept)
            x = self._enlarged(state.x, size, state.kept)
            kept = {**state.kept, name: x} if 16 * size in self.architecture.excited else state.kept
            return State(x, None, kept)

    @property
    def tunable(self) -> Mapping[str, Tensor]:
        """Return the weights that passes use; those that have a spectral norm are divided by it."""
        folded = {
            f"network.{name}.weight": module.folded
            for name, module in self.network.named_modules()
            if isinstance(module, Weight)
        }
        return {**super().tunable, **folded}

    def finish(self, state: State) -> Tensor:
        """Return images (N, C, H, W), with [-1, 1] mapped to [0, 1]."""
        assert state.rgb is not None
        return (state.rgb + 1.0) / 2.0

    def style_weights(self, s: int) -> Tensor | None:
        """Return the matrix (32 C, Z) of the first stratum, from z to its 4x4 feature map."""
        return self.network.init.matrix() if s == 0 else None

    def _first(self, code: Tensor, precision: torch.dtype) -> Tensor:
        """Map codes (N, Z) to the feature map (N, C, 4, 4) of this precision."""
        z = code.float()
        z = normalise_second_moment(z) if self.architecture.normalised else z
        x: Tensor = self.network.init(z.to(precision))
        return x

    def _enlarged(self, x: Tensor, size: int, kept: Mapping[str, Tensor]) -> Tensor:
        """Return the feature map of a level of `size` pixels, made from that of the level below."""
        x = F.interpolate(x, scale_factor=2.0, mode="nearest")
        for number, (layer, strength) in enumerate(self._block(str(size)).layers()):
            added = None if strength is None else self._noise(size, number, kept)
            added = None if strength is None or added is None else added * strength
            x = layer(x, added, kept.get("class"))
        return x

    def _low(self, size: int, code: Tensor, kept: Mapping[str, Tensor]) -> Tensor:
        """Return the feature map of a level of at most 32 pixels that codes (N, Z) make.

        If they are those of layer 0, it is there already. With gradients it is made anew, so that they reach
        the code of the layer that is asked for. An accelerator would wait for a comparison of values; there
        codes count as the same if they lie in the same memory, as those of an unedited pass do.
        """
        first = kept["code"]
        equal = torch.equal if self.device.type == "cpu" else _is_same_memory
        if not (code.requires_grad or first.requires_grad) and equal(code, first):
            return kept[f"feat_{size}"]
        x = self._first(code, kept["feat_4"].dtype)
        for level in (8, 16, 32):
            if level <= size:
                x = self._enlarged(x, level, kept)
        return x

    def _noise(self, size: int, number: int, kept: Mapping[str, Tensor]) -> Tensor | None:
        """Return the noise of a layer, (N or 1, 1, H, W); the same wherever its level is made again."""
        part = _part(size, number)
        return noise.of_part(self.config.noise, part, kept, self._fixed.get(part))

    def _block(self, size: str) -> Block:
        """Return the block of a level."""
        block = self.network.blocks[size]
        assert isinstance(block, Block)
        return block


def _is_same_memory(a: Tensor, b: Tensor) -> bool:
    """Return whether two tensors of one shape are the same elements of the same memory."""
    return (
        a.untyped_storage() is b.untyped_storage()
        and a.storage_offset() == b.storage_offset()
        and a.stride() == b.stride()
    )


def _part(size: int, number: int) -> int:
    """Return the number by which the noise of a layer is drawn."""
    return 2 * size + number
