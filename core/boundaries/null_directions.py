"""Draw the null directions that effects are compared with: random, or from permuted scores (method B)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from ..errors import RunError
from ..plugins.boundary import Boundaries, Boundary
from ..plugins.generator import Generator
from ..plugins.records import Concept
from ..randomness import Stream, Use, normals
from ..runs.prepare import Prepared
from ..runs.run import Run
from ..storage.disk import write_bytes
from ..storage.rows import Rows, with_columns
from ..strata.styles import style_channels, style_strata

NULL_FILE = "null.safetensors"

Floats = NDArray[np.float32]
Layers = tuple[int, ...] | None
"""Layers at which a direction is moved; None for all."""
Fit = Callable[[Rows, Rows, Sequence[Concept]], Boundaries]  # latents, scores (N, C), C concepts


def null_directions(run: Run, prepared: Prepared) -> Floats:
    """Return the R null directions of a run, of unit length.

    Returns:
        (R, D), (R, L, D) with one per layer for learners of w+, or (R, S) in s.

    Raises:
        RunError: the directions from permuted scores, which stage `learn` stores, cannot be read.
    """
    config = prepared.config
    if config.rescoring.null == "random":
        return random_directions(
            prepared.generator,
            config.rescoring.null_directions,
            config.synthesis.seed,
            layerwise=prepared.learner.layerwise,
            styles=prepared.in_styles,
        )
    try:
        return np.asarray(load_file(run.path / NULL_FILE)["normals"])
    except (OSError, KeyError, SafetensorError) as error:
        raise RunError(
            f"{run.path / NULL_FILE} cannot be read ({type(error).__name__}: {error}); "
            f"run `ganstrata learn {run.path}` again"
        ) from None


def random_directions(
    generator: Generator, count: int, seed: int, *, layerwise: bool, styles: bool = False
) -> Floats:
    """Draw directions uniformly from the unit sphere: normal variables, divided by their length.

    Args:
        generator: gives L, D and S.
        count: R.
        seed: seed of the run.
        layerwise: whether to draw one direction per layer.
        styles: whether to draw directions in s, the space of style channels.

    Returns:
        (R, D), (R, L, D) if layerwise, or (R, S) in s.
    """
    layers = generator.card.layers
    size = style_channels(generator) if styles else generator.card.code_size
    raw = normals(seed, Stream.NULL, Use.LATENT, range(count), size * layers if layerwise else size)
    raw = raw.reshape(count, layers, size) if layerwise else raw
    unit: Floats = raw / np.linalg.norm(raw, axis=-1, keepdims=True)
    return unit


def null_layers(boundaries: Sequence[Boundary]) -> tuple[tuple[Layers, ...], NDArray[np.int64]]:
    """Return at which layers null directions have to be moved, and which of these belong to each boundary.

    A boundary that moves some layers alone is compared with null directions that move the same layers.

    Args:
        boundaries: B of them.

    Returns:
        The G distinct `layers` of the boundaries, in order, and the position of each boundary's (B,).
    """
    distinct = list(dict.fromkeys(boundary.layers for boundary in boundaries))
    return tuple(distinct), np.array([distinct.index(b.layers) for b in boundaries], dtype=np.int64)


def at_layers(generator: Generator, directions: Floats, layers: Layers, *, styles: bool) -> Floats:
    """Return null directions as they are where some layers alone are moved.

    In w each layer is moved by the whole direction, so they stay as they are. In s a direction has a part at
    each layer, and a boundary that moves some layers lies in their channels. A random direction of s has
    little of its length there and would be moved less far, so it is cut down to these channels and made as
    long again.

    Args:
        generator: gives the strata.
        directions: unit directions, (R, D), (R, L, D), or (R, S) in s.
        layers: layers that are moved.
        styles: whether the directions lie in s.

    Returns:
        Unit directions of the same shape.
    """
    if not styles or layers is None:
        return directions
    reads = [
        generator.strata[s].reads in layers for s, width in style_strata(generator) for _ in range(width)
    ]
    kept = np.where(reads, directions, np.float32(0.0))
    lengths = np.linalg.norm(kept, axis=-1, keepdims=True)
    return np.asarray(kept / np.where(lengths > 0.0, lengths, 1.0), dtype=np.float32)


def permuted_directions(
    fit: Fit,
    latents: Rows,
    scores: Rows,
    concepts: Sequence[Concept],
    *,
    count: int,
    seed: int,
    classes: NDArray[np.int64] | None = None,
    jointly: bool = False,
) -> Floats:
    """Learn directions from permuted scores, which have no relation to the latents.

    Unlike random directions, they follow the distribution of the latents, as true boundaries do.

    The boundary of a learner that learns `jointly` depends on the other concepts. The scores of all of them
    are then permuted together and learnt together, so that directions are held back as true ones are. To
    permute those of one concept alone would hold its direction back where the others truly change, and random
    changes of these would look smaller than they are.

    Args:
        fit: calls the run's learner.
        latents: (N, D), (N, L, D), or styles (N, S).
        scores: (N, C), of concepts that can be learnt.
        concepts: C of them; direction r takes concept r modulo C.
        count: R, the number of directions; each has its own permutation.
        seed: seed of the permutations.
        classes: classes of a conditional generator (N,); scores are then permuted within each class.
        jointly: whether the boundary of a concept depends on which others are learnt.

    Returns:
        (R, D), (R, L, D) or (R, S).
    """
    directions = []
    for r in range(count):
        j = r % len(concepts)
        order = np.random.default_rng([seed, int(Stream.NULL), r]).permutation(scores.shape[0])
        if classes is not None:
            shuffled = order[np.argsort(classes[order], kind="stable")]
            order = np.empty_like(shuffled)
            order[np.argsort(classes, kind="stable")] = shuffled
        columns = list(range(len(concepts))) if jointly else [j]
        known = with_columns(scores, columns)[:]  # (N, 1) or (N, C)
        found = fit(latents, known[order], [concepts[i] for i in columns])
        directions.append(next(b.normal for b in found if b.concept == concepts[j].name))
    return np.stack(directions).astype(np.float32)


def save_directions(run: Run, directions: Floats) -> None:
    """Write the directions learnt from permuted scores (R, D) or (R, L, D) into the run directory."""
    write_bytes(run.path / NULL_FILE, save({"normals": np.ascontiguousarray(directions)}))
