"""Move verification samples along directions, score them again, and see how far their pictures go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from ..plugins.base import owner_of
from ..plugins.records import Rendering
from ..randomness import Stream, Use, normals, uniforms
from ..runs.progress import Step
from ..strata.displacements import displacement, edited
from ..strata.scored_generator import ScoredGenerator
from .metrics.path_length import EPSILON
from .sampled import Sampled

Floats = NDArray[np.float32]
SIDE = 64  # pixels of the longer side to which pictures are reduced where no scorer embeds them


class Direction(NamedTuple):
    """Represent a direction to move along: a unit normal (D,), (L, D) or (S,), and layers or None for all."""

    normal: Floats
    layers: tuple[int, ...] | None


class Moved(NamedTuple):
    """Hold what moving M directions changes.

    Attributes:
        changes: in sd of each concept, (M, T, K, C); 0 at the step 0.
        squared: squared distances of pictures at consecutive steps, (M, T - 1, K).
    """

    changes: Floats
    squared: Floats


class SpaceLengths(NamedTuple):
    """Hold squared perceptual distances on lines between samples, over the squared share of the line.

    Attributes:
        unit: mean squared distance of two independent pictures.
        full: at a random place of the line from one w to another, (K,).
        end: at its beginning, (K,).
        null_full: from the same place, as far in a random direction, (K,).
        null_end: the same from the beginning, (K,).
        measured_by: what gave the distances, in words.
    """

    unit: float
    full: Floats
    end: Floats
    null_full: Floats
    null_end: Floats
    measured_by: str


def embedding(scored: ScoredGenerator, rendering: Rendering) -> tuple[str, Tensor]:
    """Return the features (N, F) in which pictures are compared, and what gave them, in words.

    They are those of the first scorer that embeds pictures, or else pixels, averaged down to at most 64.
    Those of pictures that are not finite are NaN.
    """
    words, features = _features(scored, rendering)
    if rendering.finite is not None:
        features = features.masked_fill(~rendering.finite[:, None].to(features.device), torch.nan)
    return words, features


def _features(scored: ScoredGenerator, rendering: Rendering) -> tuple[str, Tensor]:
    for alias, scorer in scored.scorers.items():
        features = scorer.embed(rendering)
        if features is not None:
            return f"the features of the scorer {alias} ({owner_of(scorer)})", features.float().flatten(1)
    height, width = rendering.images.shape[2:]
    shrink = max(height, width, SIDE) / SIDE
    size = max(round(height / shrink), 1), max(round(width / shrink), 1)
    pixels = adaptive_avg_pool2d(rendering.images.float(), size).flatten(1)
    return f"pixels ({size[0]} x {size[1]})", pixels


def squared_distances(one: Tensor, other: Tensor) -> Tensor:
    """Return the squared Euclidean distance of rows (N, F), as (N,)."""
    return (one - other).square().sum(dim=1)


@torch.inference_mode()
def moved(
    scored: ScoredGenerator,
    sampled: Sampled,
    directions: Sequence[Direction],
    path: Sequence[float],
    samples: int,
    step: Step,
) -> Moved:
    """Move verification samples along directions, each at its own layers alone.

    Args:
        scored: the generator with its scorers.
        sampled: gives the unit of a step, and of a change.
        directions: M directions.
        path: T steps in sd of w or of the styles, rising, 0 among them.
        samples: K.
        step: is told of every K samples that were moved along a direction.
    """
    generator, count = scored.generator, len(directions)
    everywhere = tuple(range(generator.card.layers))
    columns = list(sampled.columns)
    changes = np.zeros((count, len(path), samples, len(columns)), dtype=np.float32)
    squared = np.zeros((count, len(path) - 1, samples), dtype=np.float32)
    sets = sorted({everywhere if d.layers is None else d.layers for d in directions})
    for start in range(0, samples, scored.batch):
        here = slice(start, min(start + scored.batch, samples))
        taken = here.stop - start
        latents, _, codes = scored.draw(start, Stream.VERIFICATION)
        baseline = scored.render(codes, latents.condition, latents.index, Stream.VERIFICATION, sets)
        scores = scored.score(baseline.rendering)
        _, origin = embedding(scored, baseline.rendering)
        for m, direction in enumerate(directions):
            layers = everywhere if direction.layers is None else direction.layers
            unit = displacement(
                generator,
                direction.normal,
                layers,
                generator.layer_scale,
                styles=sampled.styles,
                length=sampled.spread,
            )
            before: Tensor | None = None
            for t, amount in enumerate(path):
                if amount == 0.0:
                    features = origin
                else:
                    passed = edited(baseline, codes, [unit], [amount], layers)
                    change = (scored.score(passed) - scores)[:taken, columns] / sampled.unit
                    changes[m, t, here] = change
                    _, features = embedding(scored, passed)
                if before is not None:
                    squared[m, t - 1, here] = squared_distances(features, before)[:taken].cpu().numpy()
                before = features
            step(taken)
    return Moved(changes, squared)


@torch.inference_mode()
def space_lengths(scored: ScoredGenerator, samples: int) -> SpaceLengths:
    """Measure how fast pictures change on straight lines between the w of two samples.

    In single precision whatever the precision of the run, since the steps are small.

    Args:
        scored: the generator with its scorers.
        samples: K, the number of lines.
    """
    scored = replace(scored, precision="fp32")
    parts: dict[str, list[NDArray[np.float32]]] = {"full": [], "end": [], "null_full": [], "null_end": []}
    origins, words = [], ""
    for start in range(0, samples, scored.batch):
        taken = min(scored.batch, samples - start)
        latents, w, codes = scored.draw(start, Stream.VERIFICATION)
        baseline = scored.render(codes, latents.condition, latents.index, Stream.VERIFICATION)
        words, origin = embedding(scored, baseline.rendering)
        origins.append(origin[:taken].cpu().double())
        towards = scored.draw(start + 1, Stream.VERIFICATION)[1] - w  # to the next sample, (N, D)
        random = torch.from_numpy(
            normals(scored.seed, Stream.NULL, Use.JITTER, range(start, start + len(w)), w.shape[1])
        ).to(w)
        aside = random / random.norm(dim=1, keepdim=True) * towards.norm(dim=1, keepdim=True)
        share = torch.tensor(
            [uniforms(scored.seed, Stream.VERIFICATION, Use.JITTER, start + i, 1)[0] for i in range(len(w))]
        ).to(w)[:, None]
        at_end = torch.zeros_like(share)
        for name, place, course in (
            ("full", share, towards),
            ("end", at_end, towards),
            ("null_full", share, aside),
            ("null_end", at_end, aside),
        ):
            ends = []
            for further in (0.0, EPSILON):
                moved_w = w + place * towards + further * course
                passed = scored.render(
                    scored.generator.broadcast(moved_w, latents.condition),
                    latents.condition,
                    latents.index,
                    Stream.VERIFICATION,
                )
                ends.append(embedding(scored, passed.rendering)[1])
            squared = squared_distances(*ends) / EPSILON**2
            parts[name].append(squared[:taken].cpu().numpy().astype(np.float32))
    rows = torch.cat(origins)
    # Two independent pictures are apart by twice the variance.
    variance = rows[rows.isfinite().all(dim=1)].var(dim=0).sum()
    joined = {name: np.concatenate(batches) for name, batches in parts.items()}
    return SpaceLengths(2.0 * float(variance), **joined, measured_by=words)
