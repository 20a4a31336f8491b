"""Generators in which a trained direction has a known truth, each for one method."""

from __future__ import annotations

import numpy as np
import torch
from ganstrata import Inputs, ModelCard, State, Stratum
from planted_factors import FACTORS, GAIN, PATTERNS, SIZE, Factors
from scipy.linalg import hadamard
from torch import Tensor, nn

SHARPNESS = 3.0


class Rivals(Factors):
    """Shows the factor that is largest, and hides the others.

    A step along a mixture of two factors shows one in some pictures and the other in others. So only the
    axes of the factors can be told apart without error.
    """

    def stratum(self, s: int, state: State, code: Tensor | None, style: Tensor | None = None) -> State:
        """Nothing but at the last layer."""
        assert code is not None
        assert state.x is not None
        if s < FACTORS - 1:
            return State(state.x + 0.0 * code[:, :1, None, None])
        factors = code[:, :FACTORS]
        shown = torch.softmax(SHARPNESS * factors.abs(), dim=1) * factors
        return State(state.x + GAIN * torch.einsum("nf,fchw->nchw", shown, PATTERNS))


class Paintbox(Factors):
    """Axis 0 is brightness, axis 1 red, axis 2 moves the pattern to the right, others decide the pattern."""

    def __init__(self, config: Factors.Config, device: torch.device) -> None:
        super().__init__(config, device)
        self.card = ModelCard("paintbox", 16, layers=1, code_size=8, latent_size=8)
        self.strata = (Stratum("paint", 0, 16),)
        self.root = torch.eye(8)
        self.strength = nn.Parameter(torch.tensor(0.1))  # one that asks for gradients, as in a user's module

    def begin(self, inputs: Inputs) -> State:
        """Grey."""
        return State(torch.full((inputs.n, 3, 16, 16), 0.5))

    def stratum(self, s: int, state: State, code: Tensor | None, style: Tensor | None = None) -> State:
        """Paint."""
        assert code is not None
        assert state.x is not None
        x = torch.linspace(0.0, 2.0 * torch.pi, 16) - 0.3 * code[:, 2, None]  # (N, W)
        waves = torch.stack([f(k * x) for k in (1.0, 2.0) for f in (torch.sin, torch.cos)], dim=1)
        row = 0.1 * (torch.tanh(code[:, 4:, None]) * waves).sum(dim=1)  # (N, W)
        colour = torch.stack([code[:, 0] + code[:, 1], code[:, 0], code[:, 0]], dim=1)
        return State(state.x + row[:, None, None] + self.strength * colour[:, :, None, None])


class Curved(Paintbox):
    """Is as bright as axis 0 is large, on either side."""

    def stratum(self, s: int, state: State, code: Tensor | None, style: Tensor | None = None) -> State:
        """Paint."""
        assert code is not None
        assert state.x is not None
        return State(state.x + 0.2 * (code[:, :1].abs()[:, :, None, None] - 1.0))


class Sparse(Factors):
    """W is a sum of few of 16 atoms in 8 dimensions: the axes and the rows of a Hadamard matrix."""

    def __init__(self, config: Factors.Config, device: torch.device) -> None:
        super().__init__(config, device)
        self.card = ModelCard("sparse", SIZE, layers=1, code_size=8, latent_size=16)
        self.strata = (Stratum("paint", 0, SIZE),)
        atoms = np.concatenate([np.eye(8), hadamard(8) / np.sqrt(8.0)])
        self.atoms = torch.from_numpy(atoms.astype(np.float32))

    def map(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        """The atoms whose latent is above 1.4, so that each fires in 8 % of the samples."""
        return torch.where(z > 1.4, z, 0.0) @ self.atoms

    def stratum(self, s: int, state: State, code: Tensor | None, style: Tensor | None = None) -> State:
        """Paint four numbers."""
        assert code is not None
        assert state.x is not None
        return State(state.x + GAIN * torch.einsum("nf,fchw->nchw", code[:, :FACTORS], PATTERNS))


class Severed(Paintbox):
    """Passes no gradients."""

    def stratum(self, s: int, state: State, code: Tensor | None, style: Tensor | None = None) -> State:
        """The same, cut off."""
        assert code is not None
        with torch.no_grad():
            return super().stratum(s, state, code.detach(), style)
