"""Render strips: pictures, scores and distances from the boundary at every step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..device import sent
from ..figures.pictures import Pixels, to_pixels
from ..randomness import Use, normals
from ..runs.prepare import Prepared
from ..runs.progress import Step
from ..strata.composition import Pass
from ..strata.displacements import added_styles
from ..strata.moves import jitter, move, move_jointly, move_to
from ..strata.truncation import mean_code
from ..strata.tuned import tuned
from .directions import EditPart
from .places import places_of
from .sources import Source, SourceBatch
from .steps import Strip

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Frames:
    """Hold pictures of N samples at T steps.

    Attributes:
        pictures: the generator's own, (N, T, H, W, C).
        scores: scores of all concepts (N, T, C), or None.
        distances: from the boundary of each part, (N, T, P), in steps; NaN if broadcast() is not a
            truncation towards a point.
    """

    pictures: Pixels
    scores: Floats | None
    distances: Floats


@dataclass(frozen=True)
class Ruler:
    """Hold what distances are measured with.

    Attributes:
        unit: length of one step, in w or s.
        noise: sd of jitter in w.
    """

    unit: float
    noise: float = 0.0


@dataclass(frozen=True)
class _Batch:
    """Hold codes (N, L, D), indices (N,), and the w towards which truncation pulls; see `mean_code`."""

    codes: Tensor
    index: Tensor
    mean: Tensor | None


class _Column(NamedTuple):
    """Hold a batch at one step.

    Attributes:
        pictures: (N, H, W, C).
        scores: (N, C), or None.
        codes: (N, L, D).
        added: in s, what is added to the style of each stratum, number -> (C_s,).
    """

    pictures: Pixels
    scores: Floats | None
    codes: Tensor
    added: dict[int, Tensor] | None


class StripRenderer:
    """Render strips batch by batch, the unedited pictures first."""

    def __init__(self, prepared: Prepared, source: Source, ruler: Ruler, *, scored: bool) -> None:
        self.prepared, self.source, self.ruler, self.scored = prepared, source, ruler, scored

    @torch.inference_mode()
    def draw(self, strips: Sequence[Strip], done: Step) -> tuple[list[Frames], list[Frames]]:
        """Render strips.

        Args:
            strips: strips to render.
            done: called with the number of pictures after each column.

        Returns:
            For each strip the unedited pictures (T = 1); for each strip its pictures.
        """
        before: list[list[Frames]] = [[] for _ in strips]
        after: list[list[Frames]] = [[] for _ in strips]
        for part in self.source.batches(self.prepared.batch):
            with tuned(self.prepared.generator, part.weights):
                self._draw(part, strips, before, after, done)
        return [_joined(pieces) for pieces in before], [_joined(pieces) for pieces in after]

    def _draw(
        self,
        part: SourceBatch,
        strips: Sequence[Strip],
        before: list[list[Frames]],
        after: list[list[Frames]],
        done: Step,
    ) -> None:
        """Render the strips of a batch, and add them to those before and after the edit."""
        base = self.prepared.render(
            part.codes,
            part.condition,
            part.index,
            self.source.stream,
            [strip.layers for strip in strips],
            strict=True,
            maps=part.noise,
            seed=self.source.noise_seed,
        )
        plain = self.prepared.score(base.rendering) if self.scored else None
        batch = _Batch(part.codes, part.index, mean_code(self.prepared.generator, part.condition))
        for s, strip in enumerate(strips):
            columns = [self._column(base, batch, strip, t, done) for t in range(strip.distances.shape[1])]
            unedited = _Column(to_pixels(base.rendering.pictures), plain, part.codes, None)
            before[s].append(self._frames([unedited], strip.parts, batch.mean, part.size))
            after[s].append(self._frames(columns, strip.parts, batch.mean, part.size))

    def _column(self, base: Pass, batch: _Batch, strip: Strip, t: int, done: Step) -> _Column:
        """Return pictures, scores and codes at step t; nothing else of it stays in memory."""
        moved, added = self._moved(batch, strip, t), self._styles(strip, t)
        rendering = base.edited(moved, strip.layers, added)
        done(len(moved))
        scores = self.prepared.score(rendering) if self.scored else None
        return _Column(to_pixels(rendering.pictures), scores, moved, added)

    def _moved(self, batch: _Batch, strip: Strip, t: int) -> Tensor:
        """Return codes (N, L, D) at step t (method C)."""
        codes = batch.codes
        amounts = [float(value) for value in strip.distances[:, t]]
        part = strip.parts[0]
        if strip.mode == "joint":
            return move_jointly(codes, [p.direction for p in strip.parts], amounts)
        if strip.mode == "absolute":
            assert batch.mean is not None
            scale, target = self.prepared.generator.layer_scale, amounts[0] * self.ruler.unit
            return move_to(
                codes,
                part.boundary.normal,
                part.boundary.offset,
                target,
                part.layers,
                scale,
                batch.mean.to(codes),
            )
        if strip.mode == "jitter":
            return jitter(codes, part.direction, amounts[0], self._noise(codes, batch.index, t), part.layers)
        return move(codes, part.direction, amounts[0])

    def _styles(self, strip: Strip, t: int) -> dict[int, Tensor] | None:
        """Return what is added to the style (C_s,) of each stratum at step t; None if codes are moved."""
        if not strip.parts[0].in_styles:
            return None
        amounts = [float(amount) for amount in strip.distances[:, t]]
        return added_styles([part.displacement for part in strip.parts], amounts, self.prepared.device)

    def _noise(self, codes: Tensor, index: Tensor, draw: int) -> Tensor:
        """Return normal noise (N, L, D) that depends only on the seed, the sample and the draw."""
        seed, size = self.prepared.config.synthesis.seed, codes.shape[1] * codes.shape[2]
        rows = [
            normals(seed, self.source.stream, Use.JITTER, range(i, i + 1), size, part=draw)
            for i in index.tolist()
        ]
        return sent(np.concatenate(rows), codes.device).view(codes.shape).to(codes) * self.ruler.noise

    def _frames(
        self,
        columns: Sequence[_Column],
        parts: tuple[EditPart, ...],
        mean: Tensor | None,
        size: int,
    ) -> Frames:
        """Stack the columns of a batch along T, without the rows beyond `size` that fill it up."""
        scores = [column.scores for column in columns if column.scores is not None]
        return Frames(
            np.stack([column.pictures[:size] for column in columns], axis=1),
            np.stack(scores, axis=1)[:size] if scores else None,
            np.stack(
                [
                    np.stack([self._distance(column, part, mean) for part in parts], axis=1)
                    for column in columns
                ],
                axis=1,
            )[:size],
        )

    def _distance(self, column: _Column, part: EditPart, mean: Tensor | None) -> Floats:
        """Return the signed distance from the boundary in steps (N,); see `places_of`."""
        places = places_of(self.prepared.generator, part, column.codes, mean, column.added)
        return np.asarray(places / self.ruler.unit, dtype=np.float32)

    @torch.inference_mode()
    def grid(self, strip: Strip, done: Step) -> Pixels:
        """Cross the two parts of a strip: (N, T, T, H, W, C), the first to the right, the second upwards."""
        steps = strip.distances.shape[1]
        cells = [(down, across) for down in range(steps - 1, -1, -1) for across in range(steps)]
        crossed = np.array(
            [
                [strip.distances[0, across] for _, across in cells],
                [strip.distances[1, down] for down, _ in cells],
            ]
        )
        renderer = StripRenderer(self.prepared, self.source, self.ruler, scored=False)
        _, (frames,) = renderer.draw([Strip(strip.name, "joint", strip.parts, crossed)], done)
        n, _, *shape = frames.pictures.shape
        return frames.pictures.reshape(n, steps, steps, *shape)


def _joined(pieces: Sequence[Frames]) -> Frames:
    """Join the batches of a strip."""
    scores = [piece.scores for piece in pieces if piece.scores is not None]
    return Frames(
        np.concatenate([piece.pictures for piece in pieces]),
        np.concatenate(scores) if scores else None,
        np.concatenate([piece.distances for piece in pieces]),
    )
