"""Move a batch of samples along a direction at some layers, and score it again (method B)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..plugins.pending import Pending, one_late
from ..plugins.records import Rendering
from ..randomness import Stream
from ..strata.composition import Pass
from ..strata.displacements import displacement, edited
from ..strata.scored_generator import ScoredGenerator
from .sums import FIELDS, SIGNS, sums_of

Scores = NDArray[np.float32]
K = TypeVar("K")


@dataclass(frozen=True)
class Baseline:
    """Hold a batch of unedited samples, ready to be edited.

    Attributes:
        rendered: the pass through the generator, with the states at which edits restart.
        codes: latent codes, (N, L, D).
        pending: scores of the unedited samples, (N, C), perhaps still on their way.
    """

    rendered: Pass
    codes: Tensor
    pending: Pending[Scores]

    @property
    def scores(self) -> Scores:
        """Wait for the scores of the unedited samples, and return them, (N, C).

        Raises:
            GanstrataError: a picture is not finite, or a scorer breaks its contract.
        """
        return self.pending.result()


class Movement(NamedTuple):
    """Represent a direction that is moved at layer sets.

    Attributes:
        normal: unit normal n, (D,), or one per layer, (L, D), or in s (S,).
        step: lambda, in units of w or s.
        sets: S layer sets.
        backward: whether a boundary is moved backwards too, for each layer set, (S,).
        column: column of the boundary's own concept; None for a null direction.
    """

    normal: NDArray[np.floating]
    step: float
    sets: Sequence[Sequence[int]]
    backward: Sequence[bool]
    column: int | None


def baseline_of(
    scored: ScoredGenerator, start: int, stream: Stream, sets: Collection[Sequence[int]]
) -> Baseline:
    """Draw, render and score one batch of samples, without waiting for the scores.

    Args:
        scored: the generator with its scorers.
        start: absolute index of the first sample.
        stream: stream of random numbers that the samples are drawn from.
        sets: layer sets that will be moved.
    """
    latents, _, codes = scored.draw(start, stream)
    rendered = scored.render(codes, latents.condition, latents.index, stream, sets, late=True)
    return Baseline(rendered, codes, scored.begin_score(rendered.rendering))


class OwnStep(NamedTuple):
    """Represent a step along a unit normal, and the concept of which the change is wanted.

    Attributes:
        normal: unit normal n, (D,), or one per layer, (L, D), or in s (S,).
        amount: signed length of the step, in units of w or s.
        layers: layers at which it is moved.
        column: column of the concept.
    """

    normal: NDArray[np.floating]
    amount: float
    layers: Sequence[int]
    column: int


def own_changes(
    scored: ScoredGenerator, baseline: Baseline, steps: Iterable[tuple[K, OwnStep]], *, styles: bool
) -> Iterator[tuple[K, Scores]]:
    """Yield the key of each step with the change of the score of its concept, (N,).

    No other scorer than that of the concept runs, which saves most of the scoring.

    Args:
        scored: the generator with its scorers.
        baseline: the unedited batch of N samples.
        steps: each with a key.
        styles: whether the normals lie in s.
    """

    def begun() -> Iterator[tuple[tuple[K, int], Pending[Scores]]]:
        for key, (normal, amount, layers, column) in steps:
            rendering = _edited(scored, baseline, normal, amount, layers, styles=styles)
            yield (key, column), scored.begin_score_concept(rendering, column)

    for (key, column), moved in one_late(begun()):
        yield key, moved - baseline.scores[:, column]


def _edited(
    scored: ScoredGenerator,
    baseline: Baseline,
    normal: NDArray[np.floating],
    amount: float,
    layers: Sequence[int],
    *,
    styles: bool,
) -> Rendering:
    """Render a batch again after a step along a unit normal n at the layers S.

        c'_l = c_l + amount scale_l n_l    for l in S
        c'_l = c_l                         elsewhere

    scale is the generator's `layer_scale`: where truncation shrinks w, the step shrinks too. In s the styles
    of the strata that read these layers are moved instead; see `displacement`.

    Args:
        scored: the generator with its scorers.
        baseline: the unedited batch.
        normal: unit normal n, (D,), or one per layer, (L, D), or in s (S,).
        amount: signed length of the step, in units of w or s.
        layers: S.
        styles: whether the normal lies in s.
    """
    generator = scored.generator
    unit = displacement(generator, normal, layers, generator.layer_scale, styles=styles)
    return edited(baseline.rendered, baseline.codes, [unit], [amount], layers)


def changes_along(
    scored: ScoredGenerator,
    baseline: Baseline,
    movements: Sequence[Movement],
    *,
    count: int,
    styles: bool,
) -> Iterator[tuple[NDArray[np.float64], Scores]]:
    """Move a batch along each direction at each of its layer sets, and sum up how scores change.

        delta_k(S, j) = F_j(G(c_k + lambda scale n on the layers S)) - F_j(G(c_k))

    is the change of concept j for sample k (Yang, Shen and Zhou 2021, section 2.2, eq. 1, inside the
    maximum). A boundary is moved forwards, and backwards where `backward` says so; a null
    direction forwards only. At an empty layer set nothing is moved or rendered, and every change is 0.

    Args:
        scored: the generator with its scorers.
        baseline: the unedited batch.
        movements: directions, each with at least one layer set.
        count: number of samples to use, from the start of the batch.
        styles: whether the normals lie in s.

    Yields:
        For each movement the sums of `effects.FIELDS`, (S, 2, C, 5), and the changes of its own concept,
        (S, 2, count). NaN where nothing was moved.
    """
    begun = (
        ((m, s, k), pending)
        for m, movement in enumerate(movements)
        for (s, k), pending in _begun(scored, baseline, movement, styles=styles)
    )
    for m, moves in groupby(one_late(begun), key=lambda item: item[0][0]):
        column, size = movements[m].column, len(movements[m].sets)
        sums = np.full((size, 2, len(scored.concepts), len(FIELDS)), np.nan)
        own = np.full((size, 2, count), np.nan, dtype=np.float32)
        for (_, s, k), moved in moves:
            sums[s, k] = sums_of(baseline.scores[:count], moved[:count])
            if column is not None:
                own[s, k] = moved[:count, column] - baseline.scores[:count, column]
        yield sums, own


def _begun(
    scored: ScoredGenerator, baseline: Baseline, movement: Movement, *, styles: bool
) -> Iterator[tuple[tuple[int, int], Pending[Scores]]]:
    """Begin each step of a movement; yield its layer set s and sign k with its scores (N, C)."""
    normal, step, sets, backward, column = movement
    for s, layers in enumerate(sets):
        both = column is not None and backward[s]
        for k, sign in enumerate(SIGNS if both else SIGNS[:1]):
            if layers:
                rendering = _edited(scored, baseline, normal, sign * step, layers, styles=styles)
                yield (s, k), scored.begin_score(rendering)
            else:
                yield (s, k), baseline.pending
