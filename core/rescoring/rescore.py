"""Re-score in memory: move fresh samples along every boundary, layer by layer (method B)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ..boundaries.learn import Learnt
from ..boundaries.learning_variance import replicate_samples
from ..boundaries.null_directions import at_layers, null_layers, random_directions
from ..boundaries.resampled import Resampled
from ..boundaries.targets import with_targets
from ..config.schema import FEWEST_NULL
from ..errors import UserError, nearest
from ..messages import listed
from ..plugins.arguments import require, several
from ..plugins.boundary import Boundaries, Boundary
from ..plugins.compatibility import check_fits, lie_in_styles
from ..plugins.generator import Generator
from ..probing.concept_stats import spread_of, statistics_of
from ..probing.samples import Samples, Scorers, scored_generator
from ..probing.styles import styles_of_samples
from ..randomness import Stream
from ..runs.manifest import ConceptStats
from ..strata.layers import groups_of, layer_sets
from ..strata.moves import moved_of, own_layers
from ..strata.scored_generator import ScoredGenerator
from ..strata.styles import styles_of
from .effects import BACKWARD, moved_backwards
from .measure import Baseline, Movement, OwnStep, baseline_of, changes_along, own_changes
from .results import Effects
from .sums import FIELDS, Sums

FEWEST = 8  # samples, for intervals to be of any use

Floats = NDArray[np.float64]


@torch.inference_mode()
def rescore(
    generator: Generator,
    scorers: Scorers,
    boundaries: Boundary | Sequence[Boundary],
    *,
    probed: Samples | None = None,
    layers: str | Sequence[str] = ("all", "each", "groups"),
    groups: Mapping[str, Sequence[int]] | None = None,
    samples: int = 500,
    distance: float = 2.0,
    unit: str = "sd",
    backward: str = "all",
    null_directions: int = 20,
    rate: float = 0.05,
    bootstrap: int = 2000,
    seed: int = 0,
    batch: int | None = None,
    precision: str = "fp32",
) -> Effects:
    """Measure what each boundary changes, and at which layers, on fresh samples.

    For boundary i with unit normal n_i, layer set S and concept j, the change of sample k and the effect are

        delta_k(i, S, j) = F_j(G(w_k + lambda scale_l n_i for l in S)) - F_j(G(w_k)),    lambda = distance s_w
        effect(i, S, j)  = mean over k of delta_k(i, S, j)
        score(i, S)      = mean over k of max(delta_k(i, S, i), 0)

    `score` is the paper's measure (Yang, Shen and Zhou, IJCV 2021, section 2.2, eq. 1). It is above zero even
    for pure noise, so decisions rest on the signed effect, which is compared with the effects of R random
    unit directions, moved at the boundary's own layers if it has any: see `EffectArrays` for intervals, p and
    q. Boundaries are moved forwards, and backwards as `backward` says. All boundaries, layer sets and random
    directions share the same samples, which are not those that boundaries were learnt from.

    Args:
        generator: the generator G.
        scorers: the scorers F, with the same aliases as in `ganstrata.probe`.
        boundaries: one or several, for example from `ganstrata.learn`; each names a concept of the scorers. A
            boundary with `layers` is moved at those of a layer set that are among them.
        probed: samples from `ganstrata.probe`, for the spread of w (or of the styles), the standard
            deviations of concepts, and the targets of directions without labels. None measures the first two
            on the fresh samples.
        layers: layer sets to move: `all` (required), `each` for single layers, `groups`, names of groups, or
            numbers.
        groups: layer groups by name; None for the generator's own.
        samples: number of fresh samples K, at least 8.
        distance: length of the step, above 0.
        unit: `sd` for a distance in units of s_w = sqrt(trace Cov(w) / D), `raw` for lambda = distance.
        backward: layer sets at which boundaries are moved backwards too: `all` for that set alone,
            `everywhere` or `none`.
        null_directions: number of random directions R, at least 3; they are moved once for each set of layers
            that boundaries have. With 0 there are no p and q values (NaN), and no variation factors.
        rate: false discovery rate of variation factors, in (0, 1).
        bootstrap: number of bootstrap resamplings, at least 100.
        seed: seed of all random numbers.
        batch: samples in one pass; None for a size that suits the device.
        precision: `fp32`, `bf16`, or on CUDA `fp16`.

    Returns:
        Effects of B boundaries at S layer sets on C concepts.

    Raises:
        UserError: an argument has the wrong type, a number is out of range, a layer is unknown, or a
            boundary's concept has no scorer.
        MismatchError: a boundary belongs to another generator or latent space, or some lie in s and some not.
        GanstrataError: a plugin breaks its contract, or an image is not finite.

    Example:
        >>> import ganstrata
        >>> generator = ganstrata.load_generator("stylegan2", checkpoint="bundled:rooms", device="cpu")
        >>> hue = ganstrata.load_scorer("hue", device="cpu")
        >>> samples = ganstrata.probe(generator, hue, samples=256)
        >>> learner = ganstrata.load_learner("ridge", device="cpu", positives=50, negatives=50)
        >>> boundaries = ganstrata.learn(
        ...     generator, samples, learner, concepts=["hue/saturation"], resamples=0
        ... )
        >>> ganstrata.rescore(
        ...     generator, hue, boundaries, probed=samples, layers=["all"], samples=32, null_directions=10
        ... )
        Effects(boundaries=1, sets=1, concepts=14, factors=1)
    """
    require("rescore()", "generator", generator, Generator, "ganstrata.load_generator")
    if probed is not None:
        require("rescore()", "probed", probed, Samples, "ganstrata.probe")
    _check_numbers(samples, distance, unit, backward, null_directions, rate, bootstrap)
    scored = scored_generator(generator, scorers, seed=seed, batch=batch, precision=precision)
    given = _boundaries(boundaries)
    styles = lie_in_styles(given, "rescore()")
    moved = _targeted(given, probed, generator, styles=styles)
    columns = _columns(moved, scored)
    layer_groups = groups_of(generator, groups)
    sets = layer_sets(several(layers), layer_groups, generator.card.layers)
    if "all" not in sets:
        raise UserError("layers must contain 'all': variation factors are decided at this layer set")
    backwards = moved_backwards(backward, sets)
    spread, concepts = _statistics(scored, probed, samples, styles=styles)
    scale = spread if unit == "sd" else 1.0
    random = random_directions(
        generator, null_directions, seed, layerwise=moved[0].normal.ndim == 2, styles=styles
    )
    own = [(b.normal, b.layers, column) for b, column in zip(moved, columns, strict=True)]
    null = [
        (normal, at, None)
        for at in null_layers(moved)[0]
        for normal in at_layers(generator, random, at, styles=styles)
    ]
    movements = [
        Movement(
            normal, distance * scale, [moved_of(at, layers) for layers in sets.values()], backwards, column
        )
        for normal, at, column in (*own, *null)
    ]
    relearnt = None
    if isinstance(boundaries, Learnt) and boundaries.relearnt is not None:
        again = boundaries.relearnt
        steps = distance * (again.spreads if unit == "sd" else np.ones(len(again.spreads)))
        relearnt = _Relearnt(again, moved, columns, [own_layers(b, sets["all"]) for b in moved], steps)
    return Effects.of(
        _sums(scored, movements, list(sets.values()), samples, relearnt, styles=styles),
        boundaries=moved,
        concepts=concepts,
        sets=sets,
        groups=layer_groups,
        samples=samples,
        step=distance * scale,
        rate=rate,
        seed=seed,
        bootstrap=bootstrap,
    )


def _check_numbers(
    samples: int, distance: float, unit: str, backward: str, null_directions: int, rate: float, bootstrap: int
) -> None:
    """Check the numbers given to `rescore`.

    Raises:
        UserError: numbers are out of range; the message lists all of them.
    """
    faults = []
    if samples < FEWEST:
        faults.append(f"samples={samples} (must be at least {FEWEST})")
    if not 0.0 < distance < np.inf:
        faults.append(f"distance={distance:g} (must be finite and above 0)")
    if unit not in ("sd", "raw"):
        faults.append(f"unit={unit!r} (must be 'sd' or 'raw')")
    if backward not in BACKWARD:
        faults.append(f"backward={backward!r} (must be 'all', 'everywhere' or 'none')")
    if null_directions != 0 and null_directions < FEWEST_NULL:
        faults.append(
            f"null_directions={null_directions} (must be at least {FEWEST_NULL}, or 0 for no p values)"
        )
    if not 0.0 < rate < 1.0:
        faults.append(f"rate={rate:g} (must lie between 0 and 1)")
    if bootstrap < 100:
        faults.append(f"bootstrap={bootstrap} (must be at least 100)")
    if faults:
        raise UserError(f"rescore() cannot use {', '.join(faults)}")


def _boundaries(boundaries: Boundary | Iterable[Boundary]) -> Boundaries:
    given = list(boundaries) if isinstance(boundaries, Iterable) else [boundaries]
    for boundary in given:
        require("rescore()", "boundaries", boundary, Boundary, "ganstrata.learn")
    return Boundaries(given)


def _targeted(
    boundaries: Boundaries, probed: Samples | None, generator: Generator, *, styles: bool
) -> Boundaries:
    """Return the boundaries with targets for directions without labels that have none yet.

    Raises:
        UserError: there are no probing samples to choose them by.
    """
    without = [boundary.name for boundary in boundaries if not boundary.concept]
    if not without:
        return boundaries
    if probed is None:
        raise UserError(
            f"'{without[0]}' was found without labels and has no target concept yet; "
            "give rescore() samples from ganstrata.probe as `probed`, or find it with ganstrata.learn"
        )
    varying = [j for j, row in enumerate(probed.statistics) if row.varies]
    if styles:
        latents = styles_of_samples(generator, probed.w, probed.codes, probed.condition)
    else:
        latents = probed.w if probed.codes is None else probed.codes
    concepts = [probed.concepts[j] for j in varying]
    return with_targets(boundaries, latents, probed.scores[:, varying], concepts)


def _columns(boundaries: Boundaries, scored: ScoredGenerator) -> list[int]:
    """Return the column of each boundary's concept, (B,).

    Raises:
        UserError: there are no boundaries, or a boundary's concept has no scorer.
        MismatchError: a boundary does not fit the generator.
    """
    if not boundaries:
        raise UserError("no boundaries were given; learn some with ganstrata.learn")
    names = [concept.name for concept in scored.concepts]
    for boundary in boundaries:
        check_fits(boundary, scored.generator)
        if boundary.concept not in names:
            raise UserError(
                f"no scorer has '{boundary.concept}', the concept of the boundary '{boundary.name}'."
                f"{nearest(boundary.concept, names)} The scorers' concepts are {listed(names)}"
            )
    return [names.index(boundary.concept) for boundary in boundaries]


def _statistics(
    scored: ScoredGenerator, probed: Samples | None, samples: int, *, styles: bool
) -> tuple[float, Sequence[ConceptStats]]:
    """Return the spread of w, or of the styles, and statistics of each concept's scores.

    They are those of the probing samples, or if there are none, of the samples that will be moved.

    Raises:
        UserError: the probing samples have other concepts than the scorers.
    """
    if probed is not None:
        expected, actual = (
            [concept.name for concept in concepts] for concepts in (scored.concepts, probed.concepts)
        )
        if expected != actual:
            raise UserError(
                f"`probed` has the concepts {listed(actual)}, but the scorers have {listed(expected)}; "
                "give probe() and rescore() the same scorers"
            )
        if not styles:
            return probed.spread, probed.statistics
        at = styles_of_samples(scored.generator, probed.w, probed.codes, probed.condition)
        return spread_of(at), probed.statistics
    points, scores = [], []
    for start in range(0, samples, scored.batch):
        latents, w, codes = scored.draw(start, Stream.VERIFICATION)
        points.append((styles_of(scored.generator, codes) if styles else w).float().cpu().numpy())
        scores.append(
            scored.score(
                scored.render(codes, latents.condition, latents.index, Stream.VERIFICATION).rendering
            )
        )
    statistics = statistics_of(scored, np.concatenate(scores)[:samples])
    return spread_of(np.concatenate(points)[:samples]), statistics


@dataclass(frozen=True)
class _Relearnt:
    """Hold boundaries that were learnt again from M resamplings, and how far each is moved.

    Attributes:
        resampled: M relearnt versions of each of B boundaries.
        boundaries: the B boundaries.
        columns: column of each boundary's concept, (B,).
        layers: layers to move, for each boundary.
        steps: length of the step for each version, in units of w or s, (M,).
    """

    resampled: Resampled
    boundaries: Boundaries
    columns: Sequence[int]
    layers: Sequence[Sequence[int]]
    steps: Floats

    def changes(self, scored: ScoredGenerator, baseline: Baseline, *, styles: bool) -> Floats:
        """Return how each own concept changes in a batch of N samples, (M, B, N).

        It is NaN where a boundary could not be learnt again.

        Args:
            scored: the generator with its scorers.
            baseline: the unedited batch.
            styles: whether the boundaries lie in s.
        """
        changes = np.full((len(self.steps), len(self.columns), len(baseline.codes)), np.nan)
        own = (
            (
                (m, i),
                OwnStep(self.resampled.normals[m, i], float(self.steps[m]), self.layers[i], self.columns[i]),
            )
            for m, i in np.argwhere(self.resampled.learnt)
        )
        for place, change in own_changes(scored, baseline, own, styles=styles):
            changes[place] = change
        return changes


def _sums(
    scored: ScoredGenerator,
    movements: Sequence[Movement],
    sets: Sequence[Sequence[int]],
    samples: int,
    relearnt: _Relearnt | None,
    *,
    styles: bool,
) -> Sums:
    """Move fresh samples batch by batch, and sum up their changes.

    Args:
        scored: the generator with its scorers.
        movements: boundaries first, then null directions.
        sets: S layer sets.
        samples: number of samples K.
        relearnt: boundaries that were learnt again; None if none were.
        styles: whether directions lie in s.
    """
    count = sum(movement.column is not None for movement in movements)  # of boundaries
    total = np.zeros((len(movements), len(sets), 2, len(scored.concepts), len(FIELDS)))
    changes = np.full((count, len(sets), 2, samples), np.nan)
    relearnt_changes = None if relearnt is None else np.full((len(relearnt.steps), count, samples), np.nan)
    for start in range(0, samples, scored.batch):
        n = min(scored.batch, samples - start)
        here = slice(start, start + n)
        baseline = baseline_of(scored, start, Stream.VERIFICATION, sets)
        changed = changes_along(scored, baseline, movements, count=n, styles=styles)
        for d, (sums, own) in enumerate(changed):
            total[d] += sums
            if d < count:
                changes[d, :, :, here] = own
        if (
            relearnt is not None
            and relearnt_changes is not None
            and start < replicate_samples(samples, scored.batch)
        ):
            relearnt_changes[:, :, here] = relearnt.changes(scored, baseline, styles=styles)[:, :, :n]
    dilutions = None if relearnt is None else relearnt.resampled.dilutions(relearnt.boundaries)
    return Sums(total, changes, relearnt_changes, dilutions)
