"""The BigGAN plugin: its normalisations (original) or blocks (deep) as strata that the core composes."""

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


class _Place(NamedTuple):
    """What a stratum does: a kind, the block it belongs to, the maps that read its code, and the part of z they read."""

    kind: str
    block: int = -1
    maps: tuple[Condition, ...] = ()
    part: slice = slice(0)


class BigGAN(Generator):
    """BigGAN (Brock et al. 2019), w = z: codes hold one copy of the whole of z for every layer.

    A stratum reads from its layer's copy the part of z that the network gives it. In the original with
    hierarchical latents a layer is a conditional normalisation: 2i and 2i + 1 are the two of block i,
    and both read chunk i + 1. In BigGAN-deep a layer is a block, and every one reads all of z. Either
    way the first linear map is a stratum of its own that reads layer 0: chunk 0, or all of z with the
    class. Where z goes to the linear map alone (no hierarchical latents) there is one layer.
    """

    class Config(ClassConfig):
        """Checkpoint, truncation and classes."""

        truncation: float = Field(
            default=1.0,
            gt=0.0,
            le=1.0,
            description="z is drawn from a normal distribution within [-2, 2], times this; BigGAN-deep also has statistics for it",
        )

    config: Config
    judges_range = False  # the family has one, and any weights are welcome

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
        placed = self._place()
        self._places = tuple(place for place, _ in placed)
        self.strata = tuple(stratum for _, stratum in placed)

    def _place(self) -> list[tuple[_Place, Stratum]]:
        """Every stratum, from the linear map to the output."""
        a = self.architecture
        size = a.bottom
        placed = [self._reader("linear", -1, "linear", (self.network.linear,), a.part(None), 0, size)]
        for i, module in enumerate(self.network.blocks):
            size *= 2 if a.blocks[i].up else 1
            if isinstance(module, Deep):
                placed.append(self._reader("deep", i, f"block{i}", module.conditions, a.part(i), i, size))
            elif isinstance(module, Original):
                for half, kind in enumerate(("first", "second")):
                    maps = module.conditions[half : half + 1] if a.chunk else ()
                    placed.append(
                        self._reader(kind, i, f"block{i}.conv{half + 1}", maps, a.part(i), 2 * i + half, size)
                    )
            if i in a.attention:
                placed.append((_Place("attention", i), Stratum(f"block{i}.attention", None, size)))
        placed.append((_Place("output"), Stratum("output", None, size, is_feature=False)))
        return placed

    @staticmethod
    def _reader(
        kind: str, block: int, name: str, maps: tuple[Condition, ...], part: slice, layer: int, size: int
    ) -> tuple[_Place, Stratum]:
        width = sum(m.constant.shape[0] for m in maps) or None
        return _Place(kind, block, maps, part), Stratum(
            name, layer if maps else None, size, style_width=width
        )

    @classmethod
    def recognise(
        cls, names_and_shapes: Mapping[str, tuple[int, ...]], settings: Mapping[str, object]
    ) -> Match | None:
        """By its tensor names, in any of the published layouts."""
        layout = find(LAYOUTS, names_and_shapes)
        return None if layout is None else Match(1.0, f"BigGAN in the {layout.name} layout")

    @classmethod
    def examine(cls, part: Part) -> Examined | None:
        """Sizes, classes and weights, whatever the layout."""
        return examine(part)

    @property
    def groups(self) -> Mapping[str, tuple[int, ...]]:
        """The lower and the upper half of the layers; none where there is one layer."""
        count = self.card.layers
        return (
            {"lower": tuple(range(count // 2)), "upper": tuple(range(count // 2, count))} if count > 1 else {}
        )

    def sample(self, n: int, seed: int, start: int, stream: Stream) -> Latents:
        """Truncated normal z, and a class each, drawn evenly from those configured."""
        z = truncated_normals(
            seed, stream, range(start, start + n), self.card.latent_size, self.config.truncation
        )
        latents = Latents(torch.from_numpy(z).to(self.device), None, torch.arange(start, start + n))
        return self._classes.sample(latents, seed, stream)

    def begin(self, inputs: Inputs) -> State:
        """The class vector (N, E) of every sample, which all normalisations read: the weighted embedding of its classes."""
        weights = self._classes.weights(inputs.condition, torch.empty(inputs.n, device=self.device))
        assert weights is not None
        with torch.autocast(self.device.type, enabled=False):
            embedding = self.network.embedding
            return State(None, kept={"class": weights if embedding is None else weights @ embedding})

    def stratum(self, s: int, state: State, code: Tensor | None, style: Tensor | None = None) -> State:
        """The linear map, half a block (original) or a block (deep), attention, or the output."""
        place, x, kept = self._places[s], state.x, state.kept
        dtype = compute_dtype(self.device)
        with torch.autocast(self.device.type, enabled=False):
            if place.maps and style is None:
                assert code is not None
                style = self.style(s, code)
            if place.kind == "linear":
                assert style is not None
                return State(self.network.begin(style, kept["class"], dtype), None, kept)
            assert x is not None
            if place.kind == "output":
                return State(x, self.network.finish(x), kept)
            if place.kind == "attention":
                attended: Tensor = self.network.attention[str(place.block)](x)
                return State(attended, None, kept)
            block = self.network.blocks[place.block]
            if isinstance(block, Deep):
                assert style is not None
                return State(block(x, style, kept["class"]), None, kept)
            assert isinstance(block, Original)
            if place.kind == "first":
                return State(block.first(x, style, kept["class"]), None, {**kept, "block": x})
            return State(block.second(x, kept["block"], style, kept["class"]), None, {"class": kept["class"]})

    def finish(self, state: State) -> Tensor:
        """The network's [-1, 1] as [0, 1]."""
        assert state.rgb is not None
        return (state.rgb + 1.0) / 2.0

    def style(self, s: int, code: Tensor) -> Tensor | None:
        """What z contributes to a stratum's scales and shifts, for codes (N, D): (N, C_s). The class adds its own."""
        place = self._places[s]
        if not place.maps:
            return None
        part = code[:, place.part].float()
        return torch.cat([F.linear(part, m.code) for m in place.maps], dim=1)

    def style_weights(self, s: int) -> Tensor | None:
        """How the style depends on the code, (C_s, D): zero for entries of z that the stratum does not read."""
        place = self._places[s]
        if not place.maps:
            return None
        own = torch.cat([m.code for m in place.maps])
        weights = own.new_zeros(own.shape[0], self.card.code_size)
        weights[:, place.part] = own
        return weights
