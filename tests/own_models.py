"""Generators independent of ganstrata, as users have them, and a scorer for their pictures."""

from __future__ import annotations

import random
import warnings

import torch
import torch.nn.functional as F
from ganstrata import Concept, Rendering, Scorer
from torch import Tensor, nn

Z = 6  # numbers in every latent
BUILT = nn.Identity()


class Chain(nn.Module):
    """One sub-module after the other, some writing into what they are given; 8 pixels."""

    def __init__(self, width: int = 5, colours: int = 3) -> None:
        super().__init__()
        self.first = nn.ConvTranspose2d(Z, width, 4)
        self.norm = nn.BatchNorm2d(width)
        self.act = nn.ReLU(inplace=True)
        self.blocks = nn.Sequential(nn.Conv2d(width, width, 3, padding=1), nn.LeakyReLU(0.2, inplace=True))
        self.last = nn.ConvTranspose2d(width, colours, 4, 2, 1)
        self.tanh = nn.Tanh()

    def forward(self, z: Tensor) -> Tensor:
        return self.tanh(self.last(self.blocks(self.act(self.norm(self.first(z))))))


CHAIN = ["first", "norm", "act", "blocks", "last", "tanh"]


class Layer(nn.Module):
    """A convolution whose channels are scaled by a style."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.style = nn.Linear(Z, inputs)
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=1)

    def forward(self, x: Tensor, *, style: Tensor) -> Tensor:
        return F.leaky_relu(self.conv(x * (1.0 + self.style(style))[:, :, None, None]), 0.2)


class Styled(nn.Module):
    """A style-based network of three layers, 8 pixels.

    Args:
        rows: 0, or how many copies of w the mapping returns.
        leak: whether something else takes w, too.
        noise: strength of noise that it draws itself.
        classes: 0, or how many there are.
    """

    def __init__(self, *, rows: int = 0, leak: bool = False, noise: float = 0.0, classes: int = 0) -> None:
        super().__init__()
        self.rows, self.leak, self.noise = rows, leak, noise
        self.embed = nn.Embedding(classes, Z) if classes else None
        self.mapping = nn.Sequential(
            nn.Linear(Z, Z), nn.Tanh(), nn.Unflatten(1, (1, Z)) if rows else nn.Identity()
        )
        self.const = nn.Parameter(torch.randn(1, 4, 4, 4))
        self.low, self.middle, self.high = Layer(4, 4), Layer(4, 4), Layer(4, 3)

    def styles(self, z: Tensor, y: Tensor | None) -> list[Tensor]:
        w = self.mapping(z if self.embed is None else z + self.embed(y))
        return list(w.expand(-1, self.rows, -1).unbind(1)) if self.rows else [w] * 3

    def forward(self, z: Tensor, y: Tensor | None = None, *, gain: float = 1.0) -> dict[str, Tensor]:
        w = self.styles(z, y)
        x = self.low(self.const.expand(len(z), -1, -1, -1), style=w[0])
        x = F.interpolate(self.middle(x, style=w[1]), scale_factor=2)
        if self.noise:
            x = x + self.noise * torch.randn_like(x)
        x = self.high(x, style=w[2])
        if self.leak:
            x = x + w[0].mean(dim=1)[:, None, None, None]
        return {"picture": torch.tanh(gain * x), "w": w[0]}

    def images(self, z: Tensor) -> Tensor:
        return self(z)["picture"]


class Rows(Styled):
    """The mapping itself returns a row per layer."""

    def __init__(self) -> None:
        super().__init__(rows=3)
        self.mapping = nn.Sequential(nn.Linear(Z, Z), nn.Tanh(), Copies())


class Copies(nn.Module):
    """(N, D) to (N, 3, D)."""

    def forward(self, w: Tensor) -> Tensor:
        return w[:, None].repeat(1, 3, 1)


class Direct(nn.Module):
    """No mapping: the layers take z, and so does a first linear map in the call itself."""

    def __init__(self, *, functional: bool = False) -> None:
        super().__init__()
        self.functional = functional
        self.start = nn.Linear(Z, 4 * 16)
        self.low, self.high = Layer(4, 4), Layer(4, 3)

    def forward(self, z: Tensor) -> Tensor:
        start = F.linear(z, self.start.weight, self.start.bias) if self.functional else self.start(z)
        x = self.low(start.view(-1, 4, 4, 4), style=z)
        return torch.tanh(self.high(F.interpolate(x, scale_factor=2), style=z))


class Odd(nn.Module):
    """Fails in the way that `how` says."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how
        self.linear = nn.Linear(Z, 3 * 16)
        self.norm = nn.BatchNorm2d(3, track_running_stats=False)

    def forward(self, z: Tensor) -> object:
        x = self.linear(z).view(-1, 3, 4, 4)
        if self.how == "python":
            return torch.tanh(x + random.random())
        if self.how == "raise":
            raise ArithmeticError("no pictures today")
        made = {
            "nan": x * float("nan"),
            "two": x[:, :2],
            "flat": x.flatten(1),
            "last": x.permute(0, 2, 3, 1),
            "rows": x[:1],
            "whole": x.int(),
            "tuple": (x, z),
            "loud": 100.0 * x,
            "light": torch.sigmoid(x) * 0.9,
            "company": torch.tanh(self.norm(x)),
        }
        return made[self.how]


def make(width: int) -> nn.Module:
    """A function that returns a module, of widths drawn by nobody."""
    return Chain(width=width)


def scripted() -> nn.Module:
    """A module of TorchScript."""
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        traced: nn.Module = torch.jit.trace(nn.Linear(2, 2), torch.zeros(1, 2))
    return traced


def not_a_module() -> dict[str, int]:
    return {"layers": 3}


class Brightness(Scorer):
    """How light the picture and its upper half are."""

    concepts = (Concept("all", "attribute", least=1e-4), Concept("above", "layout", least=1e-4))

    def score(self, rendering: Rendering) -> Tensor:
        lightness = rendering.images.mean(dim=1)  # (N, H, W)
        return torch.stack(
            [lightness.mean(dim=(1, 2)), lightness[:, : lightness.shape[1] // 2].mean(dim=(1, 2))], dim=1
        )
