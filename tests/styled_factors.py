"""The generator of planted_factors with affine maps, whose large singular directions are the factors.

The style of stratum i has COPIES[i] channels that all read axis i, and NOISE of the other axes. The factor is
their mean, so |W v|^2 is largest along the axes, in the order of COPIES, however the rows are normalised.
"""

from __future__ import annotations

import numpy as np
import planted_factors
import torch
from ganstrata import ModelCard, State, Stratum
from planted_factors import FACTORS, GAIN, PATTERNS, SIZE, WIDTH
from torch import Tensor

COPIES = (8, 6, 4, 2)
NOISE = 0.02


class Styled(planted_factors.Factors):
    """Layer i adds factor i, which its style holds."""

    def __init__(self, config: planted_factors.Factors.Config, device: torch.device) -> None:
        super().__init__(config, device)
        self.card = ModelCard("styled", resolution=SIZE, layers=FACTORS, code_size=WIDTH, latent_size=WIDTH)
        self.strata = tuple(Stratum(f"s{i}", i, SIZE, style_width=COPIES[i]) for i in range(FACTORS))
        rng = np.random.default_rng(5)
        self.weights = []
        for i, copies in enumerate(COPIES):
            rows = NOISE * rng.standard_normal((copies, WIDTH))
            rows[:, i] = 1.0
            self.weights.append(torch.from_numpy(rows.astype(np.float32)).to(device))

    def style(self, s: int, code: Tensor) -> Tensor:
        """Return the channels (N, COPIES[s])."""
        return code @ self.weights[s].T

    def style_weights(self, s: int) -> Tensor:
        """Return the rows (COPIES[s], WIDTH)."""
        return self.weights[s]

    def stratum(self, s: int, state: State, code: Tensor | None, style: Tensor | None = None) -> State:
        """Add factor s."""
        assert state.x is not None
        if style is None:
            assert code is not None
            style = self.style(s, code)
        return State(state.x + GAIN * style.mean(dim=1)[:, None, None, None] * PATTERNS[s])
