"""Compute the numbers of a learner from what moving along its directions changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..rescoring.sums import moments_of, sums_of
from ..statistics import benjamini_hochberg, mean_p_value, null_p_value, sample_means
from .estimates import Chance, chance_of, over_concepts
from .metrics.dependency import AMOUNTS, at_amount, sizes_on_the_way
from .metrics.effects import chance_changes, effects, mean_changes
from .metrics.path_length import mean_lengths
from .metrics.precision import change_sizes, precision_ratio
from .metrics.smoothness import smoothness
from .numbers import Numbers

Floats = NDArray[np.float64]
BLOCK = 2**24  # numbers in the largest array of one block of resamples


class Paths(NamedTuple):
    """Hold the paths of one learner's B directions.

    Attributes:
        changes: (B, T, K, B), by direction, step, sample and concept.
        lengths: mean squared distance of consecutive pictures in units of chance, (B, K).
        null_changes: those of M random directions for each of the B directions, (B, M, T, K, B).
        null_lengths: (B, M, K).
        steps: T of them, rising, 0 among them.
    """

    changes: Floats
    lengths: Floats
    null_changes: Sequence[Floats]
    null_lengths: Sequence[Floats]
    steps: tuple[float, ...]

    @property
    def forward(self) -> int:
        """Position of the step 0, from which the forward path begins."""
        return self.steps.index(0.0)


def numbers_of_moves(paths: Paths, samples: Floats, concepts: Floats) -> Numbers:
    """Compute the numbers of a learner.

    Args:
        paths: its paths and those of random directions.
        samples: how often each sample counts, (R, K).
        concepts: how often each concept counts, (R, B).
    """
    count, each = len(paths.changes), paths.changes.shape[2]
    single = by_concept(paths, np.ones((1, each)))
    value = {name: float(v[0]) for name, v in over_all(single, np.ones((1, count))).items()}
    size = max(BLOCK // (count * count * len(paths.steps)), 1)
    blocks = [
        over_all(by_concept(paths, samples[r : r + size]), concepts[r : r + size])
        for r in range(0, len(samples), size)
    ]
    drawn = {name: np.concatenate([block[name] for block in blocks]) for name in value}
    shown = {name: values[0] for name, values in single.items() if name not in ("own", "beside")}
    shown["precision"] = precision_ratio(single["own"][0], single["beside"][0])
    return Numbers(value, drawn, shown, chance(paths))


def by_concept(paths: Paths, weights: Floats) -> dict[str, Floats]:
    """Compute every number of every direction, (R, B), with weights of the samples (R, K)."""
    last = paths.changes[:, -1]
    random: dict[int, Floats] = {}
    for null in paths.null_changes:
        if id(null) not in random:
            random[id(null)] = chance_changes(null[:, -1], weights)
    beyond = np.stack([random[id(null)] for null in paths.null_changes], axis=1)  # (R, B, B)
    return {
        **effects(last, beyond, weights),
        **smoothness(paths.changes, paths.steps, weights),
        **change_sizes(last, weights),
        **dependencies(paths.changes[:, paths.forward :], paths.changes[:, paths.forward :], weights),
        "path_length": mean_lengths(paths.lengths, weights),
    }


def dependencies(own: Floats, other: Floats, weights: Floats) -> dict[str, Floats]:
    """Compute attribute dependency at every amount: the steps are those of `own`, side effects of `other`.

    Args:
        own: forward changes of the directions, (B, T, K, B); the first step is 0.
        other: those whose side effects count, the same shape.
        weights: (R, K).
    """
    diagonal = np.arange(len(own))
    target = np.stack(
        [mean_changes(own[:, t], weights)[:, diagonal, diagonal] for t in range(own.shape[1])], axis=-1
    )  # (R, B, T)
    beside = sizes_on_the_way(other, diagonal, weights)
    return {
        dependency_name(kind, amount): at_amount(target, beside[kind], amount)
        for amount in AMOUNTS
        for kind in ("mean", "max")
    }


def dependency_name(kind: str, amount: float) -> str:
    """Return the name of a measure of dependency.

    >>> dependency_name("max", 0.5)
    'dependency_max_0.5'
    """
    return f"dependency_{kind}_{amount:g}"


def over_all(single: Mapping[str, Floats], weights: Floats) -> dict[str, Floats]:
    """Compute the numbers over concepts, (R,), from those by concept (R, B), with weights (R, B).

    Leak is the mean effect on others over the mean effect on the target, and the precision ratio that of
    mean changes: a mean of ratios would hang on those directions that move nothing. Leak is NaN without an
    effect above 0 to divide by.
    """
    means = {name: over_concepts(values, weights) for name, values in single.items()}
    moves = means["target"] > 0.0
    means["leak"] = np.where(moves, means["others"] / np.where(moves, means["target"], 1.0), np.nan)
    means["precision"] = precision_ratio(means.pop("own"), means.pop("beside"))
    return means


def chance(paths: Paths) -> dict[str, Chance]:
    """Compute what random directions reach in the place of a learner's, from M sets of B of them.

    In set m, direction (m + b) modulo M takes the place of direction b, so each is in every place once.
    Dependency is that of a random direction moved as far as the learner's direction was. Leak has no such
    number, because a random direction has no effect on a target to divide by.
    """
    count, each = len(paths.changes), paths.changes.shape[2]
    samples, concepts = np.ones((1, each)), np.ones((1, count))
    rows: list[dict[str, Floats]] = []
    sets = len(paths.null_changes[0])
    for m in range(sets):
        random = paths._replace(
            changes=np.stack([null[(m + b) % sets] for b, null in enumerate(paths.null_changes)]),
            lengths=np.stack([null[(m + b) % sets] for b, null in enumerate(paths.null_lengths)]),
        )
        single = by_concept(random, samples)
        single |= dependencies(paths.changes[:, paths.forward :], random.changes[:, paths.forward :], samples)
        rows.append(over_all(single, concepts))
    found = {name: chance_of(np.array([float(row[name][0]) for row in rows])) for name in rows[0]}
    return found | {"leak": chance_of(np.empty(0))}


def q_values(paths: Paths, ways: NDArray[np.int64]) -> Floats:
    """Return q values of the effects on own concepts, (B,).

    As in re-scoring, an effect has to be larger than those of random directions at the same layers, and than
    zero in other samples too: p is the larger of both, one-sided.

        p = max( min( v p against random directions, 1 ), p against zero )

    v is the number of directions and senses from which the direction was chosen: by the inequality of
    Bonferroni v p is valid for the best of them, however it was chosen and however they depend on each other.
    The choice rests on other samples than the effect, so the test against zero need not count it.

    Args:
        paths: of the learner and of random directions.
        ways: v of each direction, (B,).
    """
    own = np.stack([paths.changes[b, -1, :, b] for b in range(len(paths.changes))], axis=1)  # (K, B)
    found = moments_of(sums_of(np.zeros_like(own), own))  # each (B,)
    against_null = [
        null_p_value(found.mean[b], sample_means(null[:, -1, :, b]), two_sided=False)
        for b, null in enumerate(paths.null_changes)
    ]
    against_zero = mean_p_value(found.mean, found.error, found.count, two_sided=False)
    counted = np.minimum(ways * np.array(against_null), 1.0)
    return benjamini_hochberg(np.maximum(counted, against_zero))
