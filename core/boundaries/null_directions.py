"""What effects are held against: random directions, or what the learner finds in permuted scores (method B)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from ..errors import RunError
from ..plugins.contracts import Generator
from ..plugins.records import Boundaries, Concept
from ..randomness import Stream, Use, normals
from ..runs.prepare import Prepared
from ..runs.run import Run
from ..storage.disk import write_bytes

FILE = "null.safetensors"

Floats = NDArray[np.float32]
Fit = Callable[[Floats, Floats, Sequence[Concept]], Boundaries]  # latents, scores (N, C), C concepts


def null_directions(run: Run, prepared: Prepared) -> Floats:
    """R unit directions: (R, D), or (R, L, D) with one per layer for learners of w+.

    Raises:
        RunError: the directions of permuted scores, which the learn stage leaves, cannot be read.
    """
    config = prepared.config
    if config.rescoring.null == "random":
        return random_directions(
            prepared.generator,
            config.rescoring.null_directions,
            config.synthesis.seed,
            layerwise=prepared.learner.layerwise,
        )
    try:
        return np.asarray(load_file(run.path / FILE)["normals"])
    except (OSError, KeyError, SafetensorError) as error:
        raise RunError(
            f"{run.path / FILE} cannot be read ({type(error).__name__}: {error}); run `ganstrata learn {run.path}` again"
        ) from None


def random_directions(generator: Generator, count: int, seed: int, *, layerwise: bool) -> Floats:
    """Normal variables, normalised: directions drawn evenly."""
    layers, size = generator.card.layers, generator.card.code_size
    raw = normals(seed, Stream.NULL, Use.LATENT, range(count), size * layers if layerwise else size)
    raw = raw.reshape(count, layers, size) if layerwise else raw
    unit: Floats = raw / np.linalg.norm(raw, axis=-1, keepdims=True)
    return unit


def permuted_directions(
    fit: Fit,
    latents: Floats,
    scores: Floats,
    concepts: Sequence[Concept],
    *,
    count: int,
    seed: int,
    classes: NDArray[np.int64] | None = None,
) -> Floats:
    """What the learner makes of scores that have nothing to do with the latents, concept after concept.

    Such directions follow the spread of the latents, as those of true scores do and random ones do not.

    Args:
        fit: the run's learner, with its generator, seed and classes.
        latents: (N, D) or (N, L, D).
        scores: (N, C), of concepts that can be learnt.
        concepts: C of them; direction r takes concept r modulo C.
        count: number of directions R, each from a permutation of its own.
        seed: of the permutations.
        classes: drawn by a conditional generator (N,): scores are then permuted among samples of one class.

    Returns:
        (R, D), or (R, L, D).
    """
    found = []
    for r in range(count):
        j = r % len(concepts)
        order = np.random.default_rng([seed, int(Stream.NULL), r]).permutation(len(scores))
        if classes is not None:
            mixed = order[np.argsort(classes[order], kind="stable")]
            order = np.empty_like(mixed)
            order[np.argsort(classes, kind="stable")] = mixed
        (boundary,) = fit(latents, scores[order][:, [j]], [concepts[j]])
        found.append(boundary.normal)
    return np.stack(found).astype(np.float32)


def save_directions(run: Run, directions: Floats) -> None:
    """Keep the directions of permuted scores with the boundaries."""
    write_bytes(run.path / FILE, save({"normals": np.ascontiguousarray(directions)}))
