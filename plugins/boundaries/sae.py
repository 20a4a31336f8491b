"""Find directions as the atoms of a sparse dictionary of codes (sparse autoencoder)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, model_validator
from torch import Tensor, nn

from ...core.errors import DataError
from ...core.randomness import Stream
from ...core.strata.styles import style_channels, style_strata, styles_of
from .training import BLOCK, STATISTICS, Course, Descent, TrainedLearner, checked_spread
from .unlabelled import Direction, Layers

HELD_OUT = 4096  # samples on which the dictionary is measured
REVIVED = 0.03125  # weight of the loss by which atoms that never fire learn what is left
SILENT = 20  # steps without firing after which an atom counts as silent


class Autoencoder(nn.Module):
    """Represent x as b + sum_j a_j d_j with at most k of the activations a_j above 0, and unit atoms d_j.

    a = keep the k largest of max(0, E (x - b) + c), the others 0.

    Args:
        width: length S of x.
        size: number J of atoms.
        active: k.
    """

    def __init__(self, width: int, size: int, active: int) -> None:
        super().__init__()
        self.active = active
        atoms = torch.randn(size, width)
        self.atoms = nn.Parameter(nn.functional.normalize(atoms, dim=1))  # (J, S)
        self.encoder = nn.Parameter(self.atoms.detach().clone())  # (J, S)
        self.shift = nn.Parameter(torch.zeros(size))  # c
        self.centre = nn.Parameter(torch.zeros(width))  # b

    def activations(self, x: Tensor) -> Tensor:
        """Return max(0, E (x - b) + c), (n, J), of x (n, S), of which none is dropped yet."""
        return torch.relu((x - self.centre) @ self.encoder.T + self.shift)

    def decoded(self, activations: Tensor) -> Tensor:
        """Return sum_j a_j d_j, (n, S)."""
        return activations @ self.unit_atoms()

    def unit_atoms(self) -> Tensor:
        """Return the atoms at length 1, (J, S)."""
        return nn.functional.normalize(self.atoms, dim=1)


def largest(activations: Tensor, count: int) -> Tensor:
    """Return activations (n, J) with all but the `count` largest of each row set to 0.

    >>> largest(torch.tensor([[3.0, 1.0, 2.0]]), 2)
    tensor([[3., 0., 2.]])
    """
    values, places = activations.topk(min(count, activations.shape[1]), dim=1)
    return torch.zeros_like(activations).scatter(1, places, values)


@dataclass(frozen=True)
class Vectors:
    """Draw codes w, or in space s styles, centred and divided by their spread.

    Attributes:
        course: the training.
        columns: in s the channels of strata that read the chosen layers, (V,); else None.
        mean: (D,), or (V,) in s.
        spread: of codes, or of these channels.
    """

    course: Course
    columns: Tensor | None
    mean: Tensor
    spread: float

    @classmethod
    def of(cls, course: Course) -> Vectors:
        """Measure mean and spread.

        Raises:
            DataError: nothing varies.
        """
        generator, columns = course.generator, None
        if course.styles:
            reads = [generator.strata[s].reads for s, width in style_strata(generator) for _ in range(width)]
            places = [u for u, layer in enumerate(reads) if layer in course.layers]
            columns = torch.tensor(places, dtype=torch.long, device=generator.device)
            if not places:
                raise DataError("no style channel of these layers could be learnt from; give other layers")
        blocks = [
            _points(course, columns, BLOCK, first, Stream.LEARNING) for first in range(0, STATISTICS, BLOCK)
        ]
        known = torch.cat(blocks)
        return cls(course, columns, known.mean(dim=0), checked_spread(known, generator))

    def draw(self, n: int, start: int, stream: Stream) -> Tensor:
        """Return the codes or styles of samples start .. start + n - 1."""
        return (_points(self.course, self.columns, n, start, stream) - self.mean) / self.spread

    def whole(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return rows (n, V) as vectors of s, (n, S), 0 at other layers; those of codes as they are."""
        if self.columns is None:
            return rows
        vectors = np.zeros((len(rows), style_channels(self.course.generator)))
        vectors[:, self.columns.cpu().numpy()] = rows
        return vectors


@torch.no_grad()
def _points(course: Course, columns: Tensor | None, n: int, start: int, stream: Stream) -> Tensor:
    drawn = course.draw(n, start, stream)
    if columns is None:
        return drawn.w.float()
    return styles_of(course.generator, drawn.codes)[:, columns]


class Sae(TrainedLearner):
    """Train a dictionary in which every code is a sum of few atoms, and take the atoms as directions.

    For x, a code w, or in space s the styles, centred and divided by their spread, the autoencoder minimises
    |x - b - sum_j a_j d_j|^2 where at most `active` of the activations a_j are above 0 and the atoms d_j have
    length 1. Atoms that have not fired for some steps learn what the others leave, so that few stay silent.
    The atoms that fire most often are the directions. Unlike principal components they need not be
    orthogonal, and there may be more of them than dimensions.

    Source: Makhzani and Frey, "k-sparse autoencoders", ICLR 2014; Gao et al., "Scaling and evaluating sparse
    autoencoders", 2024, of which the loss for silent atoms is taken. Both concern other networks: that the
    codes of a generator are learnt is ours, and the dictionary is far smaller; the rate falls to 0.
    """

    class Config(Layers):
        """Set the dictionary, the layers that atoms move, and the training."""

        directions: int = Field(
            default=16, ge=1, le=4096, description="number of directions: the atoms that fire most often"
        )
        dictionary: int = Field(default=256, ge=2, le=65_536, description="number of atoms that are trained")
        active: int = Field(default=8, ge=1, le=4096, description="most atoms that make up one code")
        steps: int = Field(default=2000, ge=1, le=10_000_000, description="of the training")
        batch: int = Field(default=256, ge=1, le=65_536, description="fresh samples in a step")
        rate: float = Field(default=0.003, gt=0.0, le=10.0, description="of Adam")

        @model_validator(mode="after")
        def _check_sizes(self) -> Sae.Config:
            if max(self.directions, self.active) > self.dictionary:
                raise ValueError(
                    f"`directions` ({self.directions}) and `active` ({self.active}) must be at most "
                    f"`dictionary` ({self.dictionary})"
                )
            return self

    config: Config
    method = "sae"
    any_space = True

    def expected(self, concepts: int) -> int:
        """Return the number of atoms that become directions."""
        return self.config.directions

    def train(self, course: Course) -> Iterator[Direction]:
        """Return sae/0, sae/1, ..., those that fire most often first."""
        vectors = Vectors.of(course)
        model = Autoencoder(len(vectors.mean), self.config.dictionary, self.config.active).to(
            course.generator.device
        )
        descent = Descent(course, [(list(model.parameters()), self.config.rate)], self.config.steps)
        silent = torch.zeros(self.config.dictionary, dtype=torch.long, device=vectors.mean.device)
        for step in range(self.config.steps):
            x = vectors.draw(self.config.batch, step * self.config.batch, Stream.LEARNING)
            activations = model.activations(x)
            fired = largest(activations, self.config.active)
            silent = torch.where((fired.detach() > 0.0).any(dim=0), 0, silent + 1)
            descent.take([_loss(model, x, activations, fired, silent > SILENT)])
        yield from self._directions(course, vectors, model)

    @torch.no_grad()
    def _directions(self, course: Course, vectors: Vectors, model: Autoencoder) -> Iterator[Direction]:
        """Measure the dictionary on held-out samples and return its most used atoms."""
        fires = torch.zeros(self.config.dictionary, device=vectors.mean.device)
        strength = torch.zeros_like(fires)
        error = total = torch.zeros((), device=fires.device)
        for start in range(0, HELD_OUT, BLOCK):
            x = vectors.draw(BLOCK, start, Stream.VALIDATION)
            fired = largest(model.activations(x), self.config.active)
            fires, strength = fires + (fired > 0.0).sum(dim=0), strength + fired.sum(dim=0)
            error = error + (x - model.centre - model.decoded(fired)).square().sum()
            total = total + x.square().sum()
        course.on_share(1.0)
        order = fires.argsort(descending=True, stable=True)[: self.config.directions]
        facts = {
            "variance_explained": round(1.0 - float(error / total), 4),
            "active_atoms": round(float(fires.sum()) / HELD_OUT, 4),
            "silent_atoms": int((fires == 0.0).sum()),
            "dictionary": self.config.dictionary,
            "steps": self.config.steps,
        }
        rows, mean = model.unit_atoms()[order].double().cpu().numpy(), vectors.mean.double().cpu().numpy()
        shares, sizes = (fires[order] / HELD_OUT).tolist(), (strength / fires.clamp(min=1.0))[order].tolist()
        vectors_of_rows = vectors.whole(rows)
        for rank, (row, share, size) in enumerate(zip(rows, shares, sizes, strict=True)):
            own = {"fires": round(share, 4), "mean_activation": round(size, 4), **facts}
            yield Direction(str(rank), vectors_of_rows[rank], own, -float(row @ mean))


def _loss(model: Autoencoder, x: Tensor, activations: Tensor, fired: Tensor, silent: Tensor) -> Tensor:
    """Return the mean square error, plus that with which silent atoms (J,) explain what is left."""
    left = x - model.centre - model.decoded(fired)  # (n, S)
    spare = largest(torch.where(silent, activations, 0.0), model.active)
    revived = (left.detach() - model.decoded(spare)).square().mean()
    return left.square().mean() + REVIVED * torch.where(silent.any(), revived, 0.0)
