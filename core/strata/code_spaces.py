"""Optimise codes in z, in w, or with one code per layer: what a search moves, and the codes of it.

In every space, variables are scaled so that samples of the generator have mean 0 and standard deviation 1 in
each entry. So a step, and a penalty on the distance from the mean, are the same in all of them.

Shapes: N samples, L layers, D code size, Z latent size, R rows of variables (1, or L with a code per layer).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import torch
from torch import Tensor

from ..device import sent
from ..errors import UserError
from ..plugins.base import owner_of
from ..plugins.generator import Generator
from ..plugins.records import Latents
from ..randomness import Stream

SpaceName = Literal["z", "w", "layers", "w+"]
SPACES: tuple[SpaceName, ...] = get_args(SpaceName)

STATISTICS = 2048  # samples of w whose mean and standard deviation make the unit of w
BATCH = 256
LEAST = 1e-3  # smallest standard deviation of an entry of w, in the root mean square of all


@dataclass(frozen=True)
class CodeSpace:
    """Map variables (N, R, Z) or (N, R, D) to codes (N, L, D).

    - `z`: one z; `layers`: one z per layer, as the code of Xu & Zheng has it. Variables are z itself.
    - `w`: one w; `w+`: one per layer. Variables are (w - mean) / sd, entry by entry.

    Truncation stays as the generator has it, in every space.

    Attributes:
        generator: generator of the codes.
        name: one of SPACES.
        condition: conditions of the N samples, or None.
        mean: mean of w (D,); None in z.
        sd: standard deviation of each entry of w (D,); None in z.
        moved: layers whose codes move; None for all.
        kept: codes (N, L, D) of all other layers.
    """

    generator: Generator
    name: SpaceName
    condition: Tensor | None = None
    mean: Tensor | None = None
    sd: Tensor | None = None
    moved: tuple[int, ...] | None = None
    kept: Tensor | None = None

    @staticmethod
    def of(
        generator: Generator, name: SpaceName, condition: Tensor | None = None, seed: int = 0
    ) -> CodeSpace:
        """Return a space by its name; in w, mean and standard deviation of w are measured.

        Raises:
            UserError: there is no such space, or the generator has no w.
        """
        if name not in SPACES:
            raise UserError(f"space '{name}' is not one of {', '.join(SPACES)}")
        if name in ("z", "layers"):
            return CodeSpace(generator, name, condition)
        if generator.space == "z":
            raise UserError(
                f"{owner_of(generator)} has no w: its layers take z itself. "
                f"Use space {'z' if name == 'w' else 'layers'}"
            )
        mean, sd = statistics_of_w(generator, seed)
        return CodeSpace(generator, name, condition, mean, sd)

    @property
    def per_layer(self) -> bool:
        """Whether each layer has a code of its own."""
        return self.name in ("layers", "w+")

    @property
    def rows(self) -> int:
        """Number R of rows of the variables."""
        return self.generator.card.layers if self.per_layer else 1

    @torch.no_grad()
    def start(self, latents: Latents) -> Tensor:
        """Return the variables (N, R, Z) or (N, R, D) of samples."""
        values = latents.z.float()
        if self.mean is not None and self.sd is not None:
            values = (self.generator.map(latents.z, self.condition).float() - self.mean) / self.sd
        return values[:, None].repeat(1, self.rows, 1)

    def codes(self, variables: Tensor) -> Tensor:
        """Return codes (N, L, D) of variables (N, R, Z) or (N, R, D), with gradients."""
        n, rows = variables.shape[:2]
        flat = variables.flatten(0, 1)  # (N R, Z or D)
        condition = None if self.condition is None else self.condition.repeat_interleave(rows, dim=0)
        if self.mean is not None and self.sd is not None:
            w = self.mean + self.sd * flat
        else:
            w = self.generator.map(flat, condition)
        codes = self.generator.broadcast(w, condition)  # (N R, L, D)
        if self.per_layer:
            # Row l of the variables is for layer l alone: truncation may differ from layer to layer.
            codes = codes.view(n, rows, *codes.shape[1:]).diagonal(dim1=1, dim2=2).movedim(-1, 1)
        if self.moved is None or self.kept is None:
            return codes
        moves = torch.zeros(codes.shape[1], 1, dtype=torch.bool)
        moves[list(self.moved)] = True
        return torch.where(sent(moves, codes.device), codes, self.kept)

    def conditioned(self, condition: Tensor | None) -> CodeSpace:
        """Return the same space for samples of another condition."""
        return replace(self, condition=condition)

    def only(self, layers: Sequence[int], kept: Tensor) -> CodeSpace:
        """Return the space in which only some layers move; the others have the codes `kept` (N, L, D)."""
        return replace(self, moved=tuple(layers), kept=kept)


@torch.no_grad()
def statistics_of_w(generator: Generator, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Return mean (D,) and standard deviation (D,) of w over samples of the generator.

    An entry that hardly varies counts as if it varied a little, or a search could not be told what is far.
    """
    parts = []
    for start in range(0, STATISTICS, BATCH):
        latents = generator.sample(BATCH, seed, start, Stream.PROBING)
        parts.append(generator.map(latents.z, latents.condition).double())
    w = torch.cat(parts)
    sd = w.std(dim=0)
    least = LEAST * sd.square().mean().sqrt().clamp(min=1e-12)
    return w.mean(dim=0).float(), torch.maximum(sd, least).float()
