"""Measure all learners on the same samples, and keep what was computed for each."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..boundaries.null_directions import random_directions
from ..config.schema import FEWEST_NULL, RunConfig
from ..errors import ConfigError, DataError, Fault, GanstrataError, UserError
from ..plugins.boundary import STYLES
from ..plugins.learner import BoundaryLearner
from ..plugins.records import UNKNOWN
from ..runs.prepare import prepare_scored
from ..runs.progress import Progress
from ..runs.provenance.records import digest
from ..storage.disk import DiskError
from ..storage.kept_results import Store
from ..strata.scored_generator import ScoredGenerator
from ..strata.styles import require_styles
from .comparison import Comparison, NullKind
from .entries import parse_judges
from .forecast import Ahead, forecast
from .learning import Learned, checked_learners
from .moving import Moved, SpaceLengths
from .request import BoardRequest
from .sampled import Sampled, sampled


@dataclass(frozen=True)
class Measured:
    """Hold everything that the numbers of a leaderboard are computed from.

    Attributes:
        config: the config.
        request: what was asked.
        source: origin of the generator's weights, or its family.
        sampled: samples of all learners.
        learned: boundaries by label of the learner.
        moved: what moving each learner's B directions changes, by label.
        nulls: what moving M random directions changes, by kind.
        random_normals: M times B random normals, for what is computed from projections alone; by whether
            there is one per layer.
        space: path lengths of the space.
        judges: groups of concepts that mean the same.
        left: learners that were left out, with the reason.
    """

    config: RunConfig
    request: BoardRequest
    source: str
    sampled: Sampled
    learned: Mapping[str, Learned]
    moved: Mapping[str, Moved]
    nulls: Mapping[NullKind, Moved]
    random_normals: Mapping[bool, NDArray[np.float32]]
    space: SpaceLengths
    judges: Sequence[tuple[str, ...]]
    left: Mapping[str, str]


def measure(
    config: RunConfig,
    request: BoardRequest,
    store: Store,
    *,
    source: str = "config",
    progress: Progress | None = None,
) -> Measured:
    """Learn and move the boundaries of all learners; what the store holds is not computed again.

    Args:
        config: generator, scorers, concepts, samples, random directions and the seed. Its boundary learner
            and layer sets play no part.
        request: learners and steps.
        store: where results are kept.
        source: the config's file, for messages.
        progress: where progress is shown; nowhere by default.

    Raises:
        UserError: the config or the request does not fit, a learner or an option is misspelt, or no learner
            is left, or not the baseline. What shows before samples are drawn is told before.
        GanstrataError: a generator or a scorer fails.
    """
    progress = Progress(quiet=True) if progress is None else progress
    _require_null(config, source)
    entries = checked_learners(request)
    baseline = entries[0].label if request.baseline is None else request.baseline
    scored, chosen, device = prepare_scored(config, source=source)
    _require_space(config, source, scored)
    judges = parse_judges(request.judges, [concept.name for concept in scored.concepts])
    comparison = Comparison(config, request, store, scored, device, progress)
    left: dict[str, str] = {}
    learners: dict[str, BoundaryLearner] = {}
    for entry in entries:  # before samples are drawn, which takes long
        with _or_left_out(entry.label, left, progress, mistakes=(ConfigError,)):
            learners[entry.label] = comparison.built(entry)
    _require_some(learners, left)
    _require_baseline(baseline, left)
    fresh = not comparison.has_samples
    if fresh:  # nothing was kept that stands on them
        ahead = Ahead(len(chosen), len(learners), 1, samples=True, space=True)
        progress.say(forecast(ahead, config, request, scored))
    shared = sampled(scored, comparison.drawn(), chosen, judges)
    # Columns alone do not tell which of them are learnt, and which only judge.
    learnt = [concept.name for concept in shared.concepts]
    moves_key = digest([comparison.key, learnt, shared.columns, config.rescoring.samples, request.path])
    if not fresh:
        asked = [(entry, learners[entry.label]) for entry in entries if entry.label in learners]
        missing = comparison.missing(asked, moves_key)
        ahead = Ahead(len(learnt), missing, int(missing > 0), samples=False, space=not comparison.has_space)
        progress.say(forecast(ahead, config, request, scored))
    space = comparison.space()
    kept: dict[str, tuple[Learned, Moved]] = {}
    for entry in entries:
        if entry.label in learners:
            with _or_left_out(entry.label, left, progress):
                kept[entry.label] = comparison.learner(entry, learners[entry.label], shared, moves_key)
            if request.baseline is not None:
                _require_baseline(request.baseline, left)
    _require_some(kept, left)
    if baseline in left:
        left[baseline] += f". It was to be the baseline: differences are from {next(iter(kept))} instead"
        progress.say(f"{baseline}: {left[baseline]}")
    kinds = {NullKind.of(boundary) for one, _ in kept.values() for boundary in one.boundaries}
    nulls = {kind: comparison.null(kind, shared, moves_key) for kind in sorted(kinds, key=repr)}
    card = scored.generator.card
    return Measured(
        config=config,
        request=request,
        source=card.source if card.source != UNKNOWN else card.family,
        sampled=shared,
        learned={label: one for label, (one, _) in kept.items()},
        moved={label: change for label, (_, change) in kept.items()},
        nulls=nulls,
        random_normals=_random_normals(config, scored, shared, {kind.layerwise for kind in kinds}),
        space=space,
        judges=judges,
        left={entry.label: left[entry.label] for entry in entries if entry.label in left},
    )


def _require_null(config: RunConfig, source: str) -> None:
    """Require random directions to compare with.

    Raises:
        ConfigError: the config has none.
    """
    if config.rescoring.null_directions == 0:
        reason = (
            "a leaderboard holds every learner against random directions, so 0 of them are not enough; "
            f"give it at least {FEWEST_NULL} (--null)"
        )
        raise ConfigError(source, [Fault(("rescoring", "null_directions"), reason)])


def _require_space(config: RunConfig, source: str, scored: ScoredGenerator) -> None:
    """Require a generator with styles where boundaries are learnt in s.

    Raises:
        ConfigError: it has none.
    """
    if config.learning.space == STYLES:
        try:
            require_styles(scored.generator)
        except UserError as error:
            raise ConfigError(source, [Fault(("learning", "space"), str(error))]) from None


def _random_normals(
    config: RunConfig, scored: ScoredGenerator, shared: Sampled, kinds: Collection[bool]
) -> dict[bool, NDArray[np.float32]]:
    """Return M times B random normals of each kind: with one per layer (True), or one for all (False)."""
    count = config.rescoring.null_directions * len(shared.concepts)
    return {
        layerwise: random_directions(
            scored.generator, count, config.synthesis.seed, layerwise=layerwise, styles=shared.styles
        )
        for layerwise in sorted(kinds)
    }


@contextmanager
def _or_left_out(
    label: str, left: dict[str, str], progress: Progress, *, mistakes: tuple[type[UserError], ...] = ()
) -> Iterator[None]:
    """Leave a learner out if it fails: the others continue, whatever one does wrong.

    Raises:
        DiskError: the disk is full, which is not the learner's fault: no other could be kept either.
        UserError: one of `mistakes`, in what the user wrote.
    """
    try:
        yield
    except DiskError:
        raise
    except mistakes:
        raise
    except Exception as error:
        left[label] = str(error) if isinstance(error, GanstrataError) else f"{type(error).__name__}: {error}"
        progress.say(f"{label} is left out: {left[label]}")


def _require_baseline(baseline: str, left: Mapping[str, str]) -> None:
    """Require that the learner with which the others are compared is not left out.

    Raises:
        DataError: it is.
    """
    if baseline in left:
        raise DataError(
            f"the baseline '{baseline}' is left out: {left[baseline]}\n"
            "  Give another with --baseline, or another first learner."
        )


def _require_some(learners: Collection[str], left: Mapping[str, str]) -> None:
    """Require that a learner is left.

    Raises:
        DataError: none is.
    """
    if not learners:
        reasons = "\n".join(f"  {label}: {reason}" for label, reason in left.items())
        raise DataError(f"no learner is left:\n{reasons}")
