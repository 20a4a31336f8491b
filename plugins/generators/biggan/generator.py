"""Run BigGAN as a plugin whose normalisations (original) or blocks (deep) are strata."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from ....core.checkpoints import Part
from ....core.checkpoints.detect import Examined
from ....core.device import compute_dtype, for_inference
from ....core.plugins.contracts import Generator
from ....core.plugins.records import Inputs, Latents, Match, ModelCard, State, Stratum
from ....core.randomness import Stream
from ..shared.checkpoints import open_checkpoint
from ..shared.classes import Classes
from ..shared.config import ClassConfig
from ..shared.layouts import find
from ..shared.prior import truncated_normals
from ..shared.state_dicts import load
from .architecture import Architecture, examine
from .layouts import LAYOUTS
from .network import Condition, Deep, Network, Original


class _Operation(NamedTuple):
    """Hold the kind of a stratum, its block, the maps that read its code, and the part of z they read."""

    kind: str
    block: int = -1
    maps: tuple[Condition, ...] = ()
    part: slice = slice(0)


class BigGAN(Generator):
    """Run BigGAN (Brock et al. 2019), with w = z: codes hold a copy of z for every layer.

    A stratum reads from its layer's copy the part of z that the network gives it. In the original with
    hierarchical latents a layer is a conditional normalisation: 2i and 2i + 1 are the two of block i,
    and both read chunk i + 1. In BigGAN-deep a layer is a block, and every one reads all of z. Either
    way the first linear map is a stratum of its own that reads layer 0: chunk 0, or all of z with the
    class. Where z goes to the linear map alone (no hierarchical latents) there is one layer.
    """

    class Config(ClassConfig):
        """Hold checkpoint, truncation and classes."""

        truncation: float = Field(
            default=1.0,
            gt=0.0,
            le=1.0,
            description="z is drawn from a normal distribution within [-2, 2], times this; "
            "BigGAN-deep also has statistics for it",
        )

    config: Config
    judges_range = False  # any weights are accepted

    def __init__(self, config: Config, device: torch.device) -> None:
        super().__init__(config, device)
        opened = open_checkpoint(type(self), config)
        self.architecture = Architecture.from_plain(opened.found.architecture)
        stored = load(self.architecture.build, opened.found, opened.checkpoint.path)
        with torch.no_grad():
            self.network = for_inference(Network(self.architecture, stored, config.truncation), device)
        self.card: ModelCard = opened.card(
            truncation="none" if config.truncation == 1.0 else f"z times {config.truncation:g}"
        )
        self._classes = Classes(self.card.family, self.architecture.classes, config.classes)
        pairs = self._build_strata()
        self._operations = tuple(operation for operation, _ in pairs)
        self.strata = tuple(stratum for _, stratum in pairs)

    def _build_strata(self) -> list[tuple[_Operation, Stratum]]:
        """Return every stratum with its operation, from the linear map to the output."""
        a = self.architecture
        size = a.bottom
        pairs = [self._reader("linear", -1, "linear", (self.network.linear,), a.part(None), 0, size)]
        for i, module in enumerate(self.network.blocks):
            size *= 2 if a.blocks[i].up else 1
            if isinstance(module, Deep):
                pairs.append(self._reader("deep", i, f"block{i}", module.conditions, a.part(i), i, size))
            elif isinstance(module, Original):
                for half, kind in enumerate(("first", "second")):
                    maps = module.conditions[half : half + 1] if a.chunk else ()
                    pairs.append(
                        self._reader(kind, i, f"block{i}.conv{half + 1}", maps, a.part(i), 2 * i + half, size)
                    )
            if i in a.attention:
                pairs.append((_Operation("attention", i), Stratum(f"block{i}.attention", None, size)))
        pairs.append((_Operation("output"), Stratum("output", None, size, is_feature=False)))
        return pairs

    @staticmethod
    def _reader(
        kind: str, block: int, name: str, maps: tuple[Condition, ...], part: slice, layer: int, size: int
    ) -> tuple[_Operation, Stratum]:
        width = sum(m.constant.shape[0] for m in maps) or None
        return _Operation(kind, block, maps, part), Stratum(
            name, layer if maps else None, size, style_width=width
        )

    @classmethod
    def recognise(
        cls, names_and_shapes: Mapping[str, tuple[int, ...]], settings: Mapping[str, object]
    ) -> Match | None:
        """Recognise tensor names of any published layout."""
        layout = find(LAYOUTS, names_and_shapes)
        return None if layout is None else Match(1.0, f"BigGAN in the {layout.name} layout")

    @classmethod
    def examine(cls, part: Part) -> Examined | None:
        """Return sizes, classes and weights, in any layout."""
        return examine(part)

    @property
    def groups(self) -> Mapping[str, tuple[int, ...]]:
        """Layers by group: the lower and the upper half; empty if there is one layer."""
        count = self.card.layers
        return (
            {"lower": tuple(range(count // 2)), "upper": tuple(range(count // 2, count))} if count > 1 else {}
        )

    def sample(self, n: int, seed: int, start: int, stream: Stream) -> Latents:
        """Draw truncated normal z (n, Z), and a class each, uniformly from those configured."""
        z = truncated_normals(
            seed, stream, range(start, start + n), self.card.latent_size, self.config.truncation
        )
        latents = Latents(torch.from_numpy(z).to(self.device), None, torch.arange(start, start + n))
        return self._classes.sample(latents, seed, stream)

    def begin(self, inputs: Inputs) -> State:
        """Return the class vectors (N, E), weighted embeddings of classes that all normalisations read."""
        weights = self._classes.weights(inputs.condition, torch.empty(inputs.n, device=self.device))
        assert weights is not None
        with torch.autocast(self.device.type, enabled=False):
            embedding = self.network.embedding
            return State(None, kept={"class": weights if embedding is None else weights @ embedding})

    def stratum(self, s: int, state: State, code: Tensor | None, style: Tensor | None = None) -> State:
        """Apply the linear map, half a block (original) or a block (deep), attention, or the output."""
        operation, x, kept = self._operations[s], state.x, state.kept
        dtype = compute_dtype(self.device)
        with torch.autocast(self.device.type, enabled=False):
            if operation.maps and style is None:
                assert code is not None
                style = self.style(s, code)
            if operation.kind == "linear":
                assert style is not None
                return State(self.network.begin(style, kept["class"], dtype), None, kept)
            assert x is not None
            if operation.kind == "output":
                return State(x, self.network.finish(x), kept)
            if operation.kind == "attention":
                attended: Tensor = self.network.attention[str(operation.block)](x)
                return State(attended, None, kept)
            block = self.network.blocks[operation.block]
            if isinstance(block, Deep):
                assert style is not None
                return State(block(x, style, kept["class"]), None, kept)
            assert isinstance(block, Original)
            if operation.kind == "first":
                return State(block.first(x, style, kept["class"]), None, {**kept, "block": x})
            return State(block.second(x, kept["block"], style, kept["class"]), None, {"class": kept["class"]})

    def finish(self, state: State) -> Tensor:
        """Return images (N, 3, H, W), with [-1, 1] mapped to [0, 1]."""
        assert state.rgb is not None
        return (state.rgb + 1.0) / 2.0

    def style(self, s: int, code: Tensor) -> Tensor | None:
        """Return the share of codes (N, D) in a stratum's scales and shifts, (N, C_s), without the class."""
        operation = self._operations[s]
        if not operation.maps:
            return None
        part = code[:, operation.part].float()
        return torch.cat([F.linear(part, m.code) for m in operation.maps], dim=1)

    def style_weights(self, s: int) -> Tensor | None:
        """Return the weights of the style (C_s, D), 0 for entries of z that the stratum does not read."""
        operation = self._operations[s]
        if not operation.maps:
            return None
        own = torch.cat([m.code for m in operation.maps])
        weights = own.new_zeros(own.shape[0], self.card.code_size)
        weights[:, operation.part] = own
        return weights
