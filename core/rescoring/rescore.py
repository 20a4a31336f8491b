"""Re-scoring in memory: move fresh samples along every boundary, layer by layer, and score again (method B)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..boundaries.learn import Learnt
from ..boundaries.learning_variance import replicate_samples
from ..boundaries.null_directions import random_directions
from ..boundaries.relearnt import Resampled
from ..errors import UserError, nearest
from ..plugins.compatibility import check_fits
from ..plugins.contracts import Generator
from ..plugins.records import Boundaries, Boundary
from ..probing.concept_stats import spread_of, statistics_of
from ..probing.samples import Samples, Scorers, scored_generator
from ..randomness import Stream
from ..strata.layers import default_groups, layer_sets
from ..strata.scored import ScoredGenerator
from ..text import listed
from .effects import FIELDS
from .hierarchy import Hierarchy
from .measure import Baseline, baseline_of, changes_along, scores_along
from .results import Effects, Sums

FEWEST = 8  # samples, below which no interval says anything
FEWEST_NULL = 3  # null directions, of which a spread can be told

Floats = NDArray[np.float64]


@torch.inference_mode()
def rescore(
    generator: Generator,
    scorers: Scorers,
    boundaries: Sequence[Boundary],
    *,
    probed: Samples | None = None,
    layers: Sequence[str] = ("all", "each", "groups"),
    groups: Mapping[str, Sequence[int]] | None = None,
    samples: int = 500,
    distance: float = 2.0,
    unit: str = "sd",
    null_directions: int = 20,
    rate: float = 0.05,
    bootstrap: int = 2000,
    seed: int = 0,
    batch: int | None = None,
    precision: str = "fp32",
) -> Effects:
    """Measure what each boundary changes, at which layers, on samples that it was not learnt from.

    For boundary n, layer set S and concept c the effect is the mean over samples k of

        delta_k = s_c(G(w_k + lambda scale_l n for l in S)) - s_c(G(w_k)),  lambda = distance x s_w

    forwards and backwards (Yang, Shen and Zhou 2021, eq. 3, without its cut at zero). It is compared with the effects of
    random directions of the same length. All boundaries, layer sets and random directions share the samples.

    Args:
        generator: whose samples are moved.
        scorers: as for `ganstrata.probe`, and with the same aliases.
        boundaries: such as `ganstrata.learn` gives; their names are those of concepts.
        probed: the samples of `ganstrata.probe`: spread and standard deviations are theirs. None: they are measured on the samples
            that are moved.
        layers: what is moved together: `all` (which must be there), `each` layer by itself, `groups`, names of groups, or numbers.
        groups: named layer groups; None for the generator's own.
        samples: K.
        distance: length of the step.
        unit: `sd` for steps in units of the spread of w, `raw` for steps as they stand.
        null_directions: R random directions.
        rate: of false discoveries among variation factors.
        bootstrap: resamplings behind each interval.
        seed: of everything random.
        batch: samples in one pass; None for what suits the device.
        precision: fp32, bf16, or on CUDA fp16.

    Raises:
        UserError: numbers out of range, unknown layers, or a boundary of no concept.
        MismatchError: a boundary of another generator or latent space.
        GanstrataError: a plugin breaks its contract, or a picture is not finite.

    Example:
        >>> import ganstrata
        >>> generator = ganstrata.load_generator("stylegan2", checkpoint="bundled:rooms", device="cpu")
        >>> hue = ganstrata.load_scorer("hue", device="cpu")
        >>> found = ganstrata.probe(generator, hue, samples=512)
        >>> learner = ganstrata.load_learner("ridge", device="cpu", positives=100, negatives=100)
        >>> boundaries = ganstrata.learn(found, learner, generator, concepts=["hue/saturation"], resamples=0)
        >>> ganstrata.rescore(generator, hue, boundaries, probed=found, layers=["all"], samples=32, null_directions=10)
        Effects(boundaries=1, sets=1, concepts=14, factors=1)
    """
    _check_numbers(samples, distance, unit, null_directions, rate, bootstrap)
    scored = scored_generator(generator, scorers, seed=seed, batch=batch, precision=precision)
    moved = Boundaries(boundaries)
    columns = _columns(moved, scored)
    named = (
        {name: tuple(chosen) for name, chosen in groups.items()} if groups is not None else generator.groups
    )
    named = dict(default_groups(generator.card.layers) if named is None else named)
    sets = layer_sets(layers, named, generator.card.layers)
    if "all" not in sets:
        raise UserError("layers must contain 'all': whether a concept is a variation factor is decided there")
    spread, concepts = _statistics(scored, probed, samples)
    step = distance * (spread if unit == "sd" else 1.0)
    layerwise = moved[0].normal.ndim == 2
    null = random_directions(generator, null_directions, seed, layerwise=layerwise)
    relearnt = boundaries.relearnt if isinstance(boundaries, Learnt) else None
    total = np.zeros((len(moved) + len(null), len(sets), 2, len(scored.concepts), len(FIELDS)))
    changes = np.full((len(moved), len(sets), 2, samples), np.nan)
    again = None if relearnt is None else np.full((len(relearnt.spreads), len(moved), samples), np.nan)
    for start in range(0, samples, scored.batch):
        count = min(scored.batch, samples - start)
        here = slice(start, start + count)
        baseline = baseline_of(scored, start, Stream.VERIFICATION, list(sets.values()))
        for d, normal in enumerate([*(boundary.normal for boundary in moved), *null]):
            column = columns[d] if d < len(moved) else None
            sums, own = changes_along(
                scored, baseline, normal, step, list(sets.values()), column=column, count=count
            )
            total[d] += sums
            if column is not None:
                changes[d, :, :, here] = own
        if again is not None and relearnt is not None and start < replicate_samples(samples, scored.batch):
            steps = distance * (relearnt.spreads if unit == "sd" else np.ones(len(relearnt.spreads)))
            again[:, :, here] = _changes_again(scored, baseline, relearnt, columns, sets["all"], steps)[
                :, :, :count
            ]
    return Effects.of(
        Sums(total, changes, again, None if relearnt is None else relearnt.dilutions(moved)),
        boundaries=moved,
        concepts=concepts,
        sets=sets,
        groups=named,
        samples=samples,
        step=step,
        rate=rate,
        seed=seed,
        bootstrap=bootstrap,
    )


def hierarchy(effects: Effects) -> Hierarchy:
    """Tell which level of meaning settles in which layer: the paper's figure 3a and the mean depth, with intervals.

    D = sum_l l m_l / sum_l m_l, where m_l is the effect of moving layer l by itself, averaged over the variation factors of a level.

    Raises:
        UserError: single layers were not moved, or nothing is a variation factor.
    """
    found = effects.hierarchy()
    if found is None and not effects.single_layers():
        raise UserError(
            "single layers were not moved, so nothing can be said of them: give rescore() layers=['all', 'each']"
        )
    if found is None:
        raise UserError("no boundary is a variation factor, so nothing can be said of layers")
    return found


def _check_numbers(
    samples: int, distance: float, unit: str, null_directions: int, rate: float, bootstrap: int
) -> None:
    """Refuse numbers with which nothing could be concluded.

    Raises:
        UserError: with all of them.
    """
    faults = []
    if samples < FEWEST:
        faults.append(f"samples={samples}: at least {FEWEST}")
    if not 0.0 < distance < np.inf:
        faults.append(f"distance={distance:g}: a length above 0")
    if unit not in ("sd", "raw"):
        faults.append(f"unit={unit!r}: 'sd' or 'raw'")
    if null_directions < FEWEST_NULL:
        faults.append(f"null_directions={null_directions}: at least {FEWEST_NULL}")
    if not 0.0 < rate < 1.0:
        faults.append(f"rate={rate:g}: between 0 and 1")
    if bootstrap < 100:
        faults.append(f"bootstrap={bootstrap}: at least 100")
    if faults:
        raise UserError(f"rescore() cannot work with {'; '.join(faults)}")


def _columns(boundaries: Boundaries, scored: ScoredGenerator) -> list[int]:
    """Return the column of each boundary's concept, (B,).

    Raises:
        UserError: there are no boundaries, or one of a concept that no scorer has.
        MismatchError: one does not fit the generator.
    """
    if not boundaries:
        raise UserError("no boundaries were given; ganstrata.learn makes them")
    names = [concept.name for concept in scored.concepts]
    for boundary in boundaries:
        check_fits(boundary, scored.generator)
        if boundary.concept not in names:
            raise UserError(
                f"the boundary '{boundary.name}' is of a concept that no scorer has.{nearest(boundary.concept, names)} There are {listed(names)}"
            )
    return [names.index(boundary.concept) for boundary in boundaries]


def _statistics(
    scored: ScoredGenerator, probed: Samples | None, samples: int
) -> tuple[float, list[dict[str, Any]]]:
    """Return the spread of w, and statistics of each concept: of the probing samples, or else of those that will be moved.

    Raises:
        UserError: the probing samples have other concepts.
    """
    if probed is not None:
        known, given = (
            [concept.name for concept in concepts] for concepts in (scored.concepts, probed.concepts)
        )
        if known != given:
            raise UserError(
                f"`probed` has the concepts {listed(given)}, but the scorers have {listed(known)}; give probe() and rescore() the same scorers"
            )
        return probed.spread, [row.model_dump() for row in probed.statistics]
    w, scores = [], []
    for start in range(0, samples, scored.batch):
        latents, codes_of_w, codes = scored.draw(start, Stream.VERIFICATION)
        w.append(codes_of_w.float().cpu().numpy())
        scores.append(
            scored.score(
                scored.render(codes, latents.condition, latents.index, Stream.VERIFICATION).rendering
            )
        )
    rows = statistics_of(scored, np.concatenate(scores)[:samples])
    return spread_of(np.concatenate(w)[:samples]), [row.model_dump() for row in rows]


def _changes_again(
    scored: ScoredGenerator,
    baseline: Baseline,
    relearnt: Resampled,
    columns: Sequence[int],
    layers: Sequence[int],
    steps: Floats,
) -> Floats:
    """Return how a batch changes along what resampled samples give in place of each boundary, (M, B, N); NaN where they gave none."""
    changes = np.full((len(steps), len(columns), len(baseline.scores)), np.nan)
    for m, i in np.argwhere(relearnt.learnt):
        edited = scores_along(scored, baseline, relearnt.normals[m, i], float(steps[m]), layers)
        changes[m, i] = edited[:, columns[i]] - baseline.scores[:, columns[i]]
    return changes
