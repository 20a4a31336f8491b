"""Draw the null directions that effects are compared with: random, or from permuted scores (method B)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from ..errors import RunError
from ..plugins.boundary import Boundaries
from ..plugins.contracts import Generator
from ..plugins.records import Concept
from ..randomness import Stream, Use, normals
from ..runs.prepare import Prepared
from ..runs.run import Run
from ..storage.disk import write_bytes
from ..storage.rows import Rows, with_columns
from ..strata.styles import style_channels

NULL_FILE = "null.safetensors"

Floats = NDArray[np.float32]
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


def permuted_directions(
    fit: Fit,
    latents: Rows,
    scores: Rows,
    concepts: Sequence[Concept],
    *,
    count: int,
    seed: int,
    classes: NDArray[np.int64] | None = None,
) -> Floats:
    """Learn directions from permuted scores, which have no relation to the latents.

    Unlike random directions, they follow the distribution of the latents, as true boundaries do.

    Args:
        fit: calls the run's learner.
        latents: (N, D), (N, L, D), or styles (N, S).
        scores: (N, C), of concepts that can be learnt.
        concepts: C of them; direction r takes concept r modulo C.
        count: R, the number of directions; each has its own permutation.
        seed: seed of the permutations.
        classes: classes of a conditional generator (N,); scores are then permuted within each class.

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
        column = with_columns(scores, [j])[:]  # (N, 1)
        (boundary,) = fit(latents, column[order], [concepts[j]])
        directions.append(boundary.normal)
    return np.stack(directions).astype(np.float32)


def save_directions(run: Run, directions: Floats) -> None:
    """Write the directions learnt from permuted scores (R, D) or (R, L, D) into the run directory."""
    write_bytes(run.path / NULL_FILE, save({"normals": np.ascontiguousarray(directions)}))
