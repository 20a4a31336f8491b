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
from ....core.device import compute_dtype, for_inference, sent
from ....core.plugins.records import Inputs, Latents, ModelCard, State, Stratum
from ....core.randomness import Stream
from ..shared.checkpoints import open_checkpoint
from ..shared.classes import Classes
from ..shared.config import ClassConfig
from ..shared.prior import truncated_normals
from ..shared.published import PublishedGenerator
from ..shared.state_dicts import load
from .architecture import Architecture, examine
from .layouts import LAYOUTS
from .network import Condition, Deep, Network, Original


class _Operation(NamedTuple):
    """Hold what a stratum computes.

    Attributes:
        kind: `linear`, `deep`, `first` or `second` (half of a block), `attention` or `output`.
        block: its block.
        maps: the affine maps that read its code.
        part: the entries of z that they read.
    """

    kind: str
    block: int = -1
    maps: tuple[Condition, ...] = ()
    part: slice = slice(0)


class BigGAN(PublishedGenerator):
    """Run BigGAN or BigGAN-deep (Brock et al. 2019), with w = z.

    Codes (N, L, Z) hold a copy of z for every layer. A stratum reads its part of z from its layer's copy.

    - BigGAN with hierarchical latents: a layer is a conditional normalisation. Layers 2i and 2i + 1 are the
      two of block i; both read chunk i + 1 of z.
    - BigGAN-deep: a layer is a block, and reads all of z.
    - BigGAN without hierarchical latents: one layer, because only the first linear map reads z.

    The first linear map is a stratum of its own, which reads the code of layer 0: chunk 0 of z, or all of z
    and the class.
    """

    class Config(ClassConfig):
        """Set checkpoint, truncation and classes."""

        truncation: float = Field(
            default=1.0,
            gt=0.0,
            le=1.0,
            description="factor of z, which is drawn from a normal distribution truncated to [-2, 2]; "
            "it also selects the statistics of a BigGAN-deep",
        )

    config: Config
    family = "BigGAN"
    layouts = LAYOUTS

    def __init__(self, config: Config, device: torch.device) -> None:
        super().__init__(config, device)
        opened = open_checkpoint(type(self), config)
        self.architecture = Architecture.from_plain(opened.description.architecture)
        stored = load(self.architecture.build, opened.description, opened.checkpoint.path)
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
        """Return the strata with their operations, from the linear map to the output."""
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
        """Return a stratum that reads the code of `layer` through these maps, with its operation."""
        width = sum(m.constant.shape[0] for m in maps) or None
        return _Operation(kind, block, maps, part), Stratum(
            name, layer if maps else None, size, style_width=width
        )

    @classmethod
    def examine(cls, part: Part) -> Examined | None:
        """Return sizes, classes and weights, in any layout."""
        return examine(part)

    @property
    def groups(self) -> Mapping[str, tuple[int, ...]]:
        """Layers by group: the lower and the upper half; no groups if there is one layer."""
        count = self.card.layers
        return (
            {"lower": tuple(range(count // 2)), "upper": tuple(range(count // 2, count))} if count > 1 else {}
        )

    def sample(self, n: int, seed: int, start: int, stream: Stream) -> Latents:
        """Draw z (n, Z) from the truncated normal prior and classes (n,) uniformly from those configured."""
        z = truncated_normals(
            seed, stream, range(start, start + n), self.card.latent_size, self.config.truncation
        )
        latents = Latents(sent(z, self.device), None, torch.arange(start, start + n))
        return self._classes.sample(latents, seed, stream)

    def begin(self, inputs: Inputs) -> State:
        """Return the class vectors (N, E): the embeddings of the classes, weighted by the condition.

        They are zeros, with E = 1, if the network is unconditional.
        """
        weights = self._classes.weights(inputs.condition, torch.empty(inputs.n, device=self.device))
        if weights is None:  # unconditional: no map reads the class vectors
            return State(None, kept={"class": torch.zeros(inputs.n, 1, device=self.device)})
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
        """Return the terms of codes (N, D) in the scales and shifts of a stratum, (N, C_s)."""
        operation = self._operations[s]
        if not operation.maps:
            return None
        part = code[:, operation.part].float()  # (N, chunk)
        return torch.cat([F.linear(part, m.code) for m in operation.maps], dim=1)

    def style_weights(self, s: int) -> Tensor | None:
        """Return the matrix (C_s, D) from codes to styles; entries of z that are not read have zeros."""
        operation = self._operations[s]
        if not operation.maps:
            return None
        columns = torch.cat([m.code for m in operation.maps])  # (C_s, chunk)
        weights = columns.new_zeros(columns.shape[0], self.card.code_size)  # (C_s, D)
        weights[:, operation.part] = columns
        return weights
