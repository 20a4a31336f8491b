"""A generator one of whose units is the mask of a class, with units that are noise, constant, or by place."""

from __future__ import annotations

import ganstrata
import torch
from ganstrata import Concept, ModelCard, PluginConfig, Rendering, State, Stratum
from ganstrata.core.semantics.samples import LabelledSamples
from ganstrata.core.semantics.teacher import Teacher
from torch import Tensor

CPU = torch.device("cpu")
SIZE, NOISE = 8, 20
MASK, PLACE, CONSTANT, FIRST_NOISE = 0, 1, 2, 3
CLASSES = ("ground", "blob", "lower", "never")


class Blobs(ganstrata.Generator):
    """The map has a blob at a random place, a lower half, a constant, and noise; the picture shows the first.

    Unit PLACE is on in the lower half of every picture, and so is the class `lower` in most of them, apart
    from the blob: they go together by place, not by picture. A noise unit matters for one pixel alone, and
    only once it is set: to 0, the blob loses the pixel; to another constant, it gains it.
    """

    def __init__(self) -> None:
        super().__init__(PluginConfig(), CPU)
        self.name = self.origin = "blobs"
        self.card = ModelCard("blobs", resolution=SIZE, layers=1, code_size=12, latent_size=12)
        self.strata = (
            Stratum("units", 0, SIZE),
            Stratum("rgb", None, SIZE, is_feature=False),
        )
        random = torch.Generator().manual_seed(5)
        self.noise = torch.randn(8, NOISE, SIZE, SIZE, generator=random)

    def stratum(self, s: int, state: State, code: Tensor | None, style: Tensor | None = None) -> State:
        """The map (N, 3 + NOISE, 8, 8)."""
        if s == 1:
            return state
        assert code is not None
        y, x = torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing="ij")
        spot = (code[:, :2].sigmoid() * SIZE)[:, :, None, None]
        blob = ((y - spot[:, :1, 0]) ** 2 + (x - spot[:, 1:, 0]) ** 2 < 6.0).float()[:, None]
        place = (y >= SIZE // 2).float().expand(len(code), 1, -1, -1)
        noise = torch.einsum("nd,dchw->nchw", code[:, 4:], self.noise)
        return State(torch.cat([blob, place, torch.full_like(blob, 0.7), noise], dim=1), kept={"code": code})

    def finish(self, state: State) -> Tensor:
        """The picture (N, 3, 8, 8); blue tells by chance where `lower` begins."""
        assert state.x is not None
        blue = state.kept["code"][:, 2, None, None].expand(-1, SIZE, SIZE).sigmoid()
        noise, red = state.x[:, FIRST_NOISE:].flatten(2), state.x[:, MASK].flatten(1).clone()
        own, beside = noise[:, range(NOISE), range(NOISE)], noise[:, range(NOISE), range(1, NOISE + 1)]
        red[:, :NOISE] += torch.where(own == beside, torch.where(own == 0.0, -1.0, 1.0), 0.0)
        return torch.stack([red.view(-1, SIZE, SIZE), state.x[:, PLACE], blue], dim=1)


class Sees(ganstrata.Segmenter):
    """Blob where a picture is red; else lower, from a row that the picture's blue decides; else ground."""

    concepts = tuple(Concept(name, "object") for name in CLASSES)

    def __init__(self) -> None:
        super().__init__(PluginConfig(), CPU)
        self.name = self.origin = "sees"

    def logits(self, rendering: Rendering) -> Tensor:
        """(N, 4, 8, 8)."""
        images = rendering.images
        blob = images[:, 0] > 0.5
        begins = 3 + 3 * images[:, 2, :1, :1].round()
        lower = torch.arange(SIZE)[:, None] >= begins
        labels = torch.where(blob, 1, torch.where(lower, 2, 0))
        return torch.nn.functional.one_hot(labels, 4).permute(0, 3, 1, 2).float()


class SeesAnother(Sees):
    """Each picture of a batch gets the mask of the next one."""

    def logits(self, rendering: Rendering) -> Tensor:
        """(N, 4, 8, 8)."""
        return super().logits(rendering).roll(-1, dims=0)


def planted_units(seed: int = 0, batch: int = 16, segmenter: type[Sees] = Sees) -> LabelledSamples:
    """Samples of the generator with their labels."""
    return LabelledSamples(Blobs(), Teacher.of(segmenter()), (0,), batch, seed)
