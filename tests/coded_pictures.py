"""A generator whose z begins with named codes, as a trained InfoGAN would have them, and who reads them."""

from __future__ import annotations

import ganstrata
import torch
from ganstrata import Concept, Inputs, Latents, ModelCard, PriorCode, Rendering, State, Stratum, Stream
from ganstrata.core.randomness import Use, uniforms
from torch import Tensor

WIDTH, SIZE, KINDS = 40, 8, 3
CODES = (PriorCode("kind", 0, KINDS, categorical=True), PriorCode("tilt", 3, 4), PriorCode("shift", 4, 6))


class Coded(ganstrata.Generator):
    """Kind k lights the k-th pair of rows, tilt the left half, and the rest of z hardly anything."""

    prior_codes = CODES
    card = ModelCard("coded", SIZE, 1, WIDTH, WIDTH, licence="none", source="the tests")
    strata = (Stratum("all", 0, SIZE),)

    def sample(self, n: int, seed: int, start: int, stream: Stream) -> Latents:
        """One-hot kinds, and numbers from -1 to 1."""
        rows = [uniforms(seed, stream, Use.LATENT, i, WIDTH) for i in range(start, start + n)]
        z = torch.tensor([list(2.0 * row - 1.0) for row in rows], dtype=torch.float32, device=self.device)
        kind = ((z[:, 0] + 1.0) * KINDS / 2.0).long()
        z[:, :KINDS] = torch.nn.functional.one_hot(kind, KINDS).to(z)
        return Latents(z, None, torch.arange(start, start + n))

    def begin(self, inputs: Inputs) -> State:
        """Grey."""
        return State(torch.full((inputs.n, 3, SIZE, SIZE), 0.5, device=self.device))

    def stratum(self, s: int, state: State, code: Tensor | None, style: Tensor | None = None) -> State:
        """Add what each code lights."""
        assert state.x is not None
        assert code is not None
        x = state.x + 0.02 * torch.sin(code[:, 6:].sum(dim=1))[:, None, None, None]
        lit = torch.zeros_like(x)
        for k in range(KINDS):
            lit[:, :, 2 * k : 2 * k + 2] += 0.2 * code[:, k, None, None, None]
        lit[:, :, 6:, : SIZE // 2] += 0.2 * code[:, 3, None, None, None]
        return State(x + lit)

    def finish(self, state: State) -> Tensor:
        """The picture."""
        assert state.x is not None
        return state.x


class Reader(ganstrata.Scorer):
    """How bright the place of each kind is, and that of the tilt."""

    concepts = tuple(
        Concept(name, "attribute", threshold=0.0) for name in ("first", "second", "third", "tilted")
    )

    def score(self, rendering: Rendering) -> Tensor:
        """(N, 4)."""
        images = rendering.images - 0.5
        kinds = [images[:, :, 2 * k : 2 * k + 2].mean(dim=(1, 2, 3)) for k in range(KINDS)]
        return torch.stack([*kinds, images[:, :, 6:, : SIZE // 2].mean(dim=(1, 2, 3))], dim=1)
