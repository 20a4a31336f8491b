"""A generator whose pictures have classes that are exactly linear in its feature maps, and their teacher."""

from __future__ import annotations

import ganstrata
import torch
from ganstrata import Concept, Inputs, ModelCard, PluginConfig, Rendering, State, Stratum
from ganstrata.core.semantics.heads import LSE
from ganstrata.core.semantics.samples import LabelledSamples
from ganstrata.core.semantics.teacher import Teacher
from torch import Tensor

CPU = torch.device("cpu")
WIDTHS, SIZES = (6, 5, 4), (4, 8, 8)
CLASSES = ("sky", "tree", "road")


class Smooth(ganstrata.Generator):
    """Three strata whose maps are smooth random functions of z; the last has a margin of one pixel."""

    def __init__(self) -> None:
        super().__init__(PluginConfig(), CPU)
        self.name = self.origin = "smooth"
        self.card = ModelCard("smooth", resolution=8, layers=3, code_size=12, latent_size=12)
        self.strata = (
            Stratum("early", 0, 4),
            Stratum("middle", 1, 8),
            Stratum("late", 2, 8, margin=1),
            Stratum("rgb", 2, 8, is_feature=False),
        )
        random = torch.Generator().manual_seed(3)
        self.filters = [
            torch.randn(12, c, s + 2 * (c == 4), s + 2 * (c == 4), generator=random)
            for c, s in zip(WIDTHS, SIZES, strict=True)
        ]

    def stratum(self, s: int, state: State, code: Tensor | None, style: Tensor | None = None) -> State:
        """A new map (N, c, h, w) of each code, the picture at the end."""
        assert code is not None
        if s == 3:
            return State(torch.sigmoid(state.x[:, :3, 1:-1, 1:-1]))
        return State(torch.einsum("nd,dchw->nchw", code, self.filters[s]))

    def finish(self, state: State) -> Tensor:
        """The picture (N, 3, 8, 8)."""
        return state.x


class Linear(ganstrata.Segmenter):
    """The class of a pixel is that with the highest of three known linear readings of all maps."""

    features = (0, 1, 2)
    concepts = tuple(Concept(name, "object") for name in CLASSES)

    def __init__(self) -> None:
        super().__init__(PluginConfig(), CPU)
        self.name = self.origin = "linear"
        self.head = LSE(WIDTHS, 3)
        random = torch.Generator().manual_seed(4)
        for weight in self.head.T:
            weight.data = torch.randn(weight.shape, generator=random)
        self.head.requires_grad_(False)

    def logits(self, rendering: Rendering) -> Tensor:
        """(N, 3, 8, 8)."""
        maps = [rendering.features[s].float() for s in self.features]
        maps[2] = maps[2][:, :, 1:-1, 1:-1]
        logits: Tensor = self.head(maps, (8, 8))
        return logits


def planted_samples(batch: int = 8, seed: int = 0, **teacher: object) -> LabelledSamples:
    """Samples of the generator, labelled by the teacher."""
    return LabelledSamples(Smooth(), Teacher(Linear(), **teacher), (0, 1, 2), batch, seed)


def inputs(n: int) -> Inputs:
    """Inputs of a pass of n samples."""
    return Inputs(n, None, torch.arange(n))
