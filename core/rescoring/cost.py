"""Count the work of re-scoring in FLOPs: in the naive order, with shared baselines, and as far as it went.

The naive order is that of the paper's code. For every direction it renders and scores the unedited images
anew, then the edited images in full passes, one for every layer set and sign. Here the unedited images are
rendered and scored once for all directions, and an edited image restarts at the first stratum that reads one
of its layers. The mapping from z to w is left out, because every order does it once per sample.

Work is in FLOPs of convolutions and matrix products, as torch counts them in one pass of one sample. Where
torch counts none in the generator, work is in seconds of such a pass.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.flop_counter import FlopCounterMode

from ..boundaries.learning_variance import replicate_samples
from ..device import autocast
from ..plugins.colours import to_rgb
from ..plugins.generator import Generator
from ..plugins.records import Inputs, Rendering, State
from ..plugins.scoring import checked_scores
from ..randomness import Stream, noise_seed
from ..runs.manifest import Work
from ..runs.prepare import Prepared
from ..strata.composition import first_reader
from ..strata.stepping import advance
from .effects import moved_backwards
from .interim import look_sizes

if TYPE_CHECKING:
    from .results import Effects

Meter = Callable[[Callable[[], Any]], tuple[Any, float]]
"""A function that runs another function and returns its result and its cost."""
Counts = NDArray[np.int64]
Unit = Literal["FLOPs", "seconds"]
REPETITIONS = 3  # timed passes, of which the fastest counts


@dataclass(frozen=True)
class Costs:
    """Hold the work per image.

    Attributes:
        strata: work of each stratum. The first includes the beginning of a pass, the last its end.
        scoring: work of all scorers together.
        scorers: work of each scorer by itself, by alias.
        unit: `FLOPs` or `seconds`.
    """

    strata: tuple[float, ...]
    scoring: float
    unit: Unit
    scorers: Mapping[str, float] = field(default_factory=dict)

    def edited(self, start: int = 0, scorer: str | None = None) -> float:
        """Return the work of an image that restarts at the stratum `start`, and of its scores.

        With `scorer`, an alias, only the scores of that scorer are counted.
        """
        return sum(self.strata[start:]) + (self.scoring if scorer is None else self.scorers[scorer])


def naive_work(
    costs: Costs, samples: int, sets: int, boundaries: int, null: int, *, signs: int | Counts = 2
) -> float:
    """Return the work in the naive order.

        K c (B (1 + sum over the layer sets of signs) + R (1 + S))

    K samples, B boundaries, R null directions (moved forwards only), S layer sets, c the work of a full pass
    with its scores. Each direction has a baseline of its own. `signs` is the number of signs in which
    boundaries are moved, the same at all layer sets or for each, (S,).
    """
    moves = int(np.broadcast_to(signs, sets).sum())
    return samples * costs.edited() * (boundaries * (1 + moves) + null * (1 + sets))


def shared_work(
    costs: Costs,
    starts: Sequence[int],
    used: Counts,
    null_used: Counts,
    null: int,
    baselines: int,
) -> float:
    """Return the work with shared baselines and restarted passes.

    Args:
        costs: work per image.
        starts: stratum at which each layer set restarts, (S,).
        used: samples of each boundary at each layer set, those moved backwards counted again, (B, S).
        null_used: samples of each null direction at each layer set, (S,), or (G, S) if they are moved at
            several sets of layers.
        null: number of null directions R.
        baselines: number of unedited images.
    """
    each = np.array([costs.edited(start) for start in starts])
    return baselines * costs.edited() + float(
        (used.sum(axis=0) + null * np.atleast_2d(null_used).sum(axis=0)) @ each
    )


def counted(prepared: Prepared, effects: Effects) -> Work:
    """Return the work of a run's re-scoring, from the samples that its effects rest on.

    Boundaries learnt again are scored by the scorer of their own concept alone. The naive order has none of
    them.
    """
    used, null_used, replicates = effects.used, effects.null_used, effects.replicates
    config, costs = prepared.config.rescoring, measured(prepared)
    starts = [first_reader(prepared.generator, layers) for layers in prepared.sets.values()]
    null, sets = config.null_directions, used.shape[1]
    all_set = list(prepared.sets).index("all")
    others = [s for s in range(sets) if s != all_set]
    step = look_sizes(config.samples, config.looks, prepared.batch)[0] if config.adaptive else prepared.batch
    replicate_used = np.array([replicate_samples(int(count), step) for count in used[:, all_set]]) * (
        replicates > 0
    )
    baselines = config.samples
    if config.adaptive:  # baselines are rendered anew for replicates, and for the other sets
        baselines = int(used[:, all_set].max()) + int(replicate_used.max())
        baselines += int(used[:, others].max()) if others else 0
    each = replicates * np.array(
        [costs.edited(starts[all_set], prepared.alias_of(int(column))) for column in effects.own]
    )  # (B,)
    relearnt = (each @ replicate_used, each.sum() * replicate_samples(config.samples, step))
    reached = effects.reached  # (B, S); elsewhere nothing is rendered
    null_reached = reached[[int(np.argmax(effects.kind == g)) for g in range(len(null_used))]]  # (G, S)
    signs = 1 + np.array(moved_backwards(config.backward, prepared.sets), dtype=np.int64)  # (S,)
    moves, null_moves = config.samples * signs * reached, config.samples * null_reached
    return Work(
        unit=costs.unit,
        per_image=costs.edited(),
        naive=sum(naive_work(costs, config.samples, sets, 1, 0, signs=signs * row) for row in reached)
        + sum(naive_work(costs, config.samples, int(row.sum()), 0, null) for row in null_reached),
        full=shared_work(costs, starts, moves, null_moves, null, config.samples) + float(relearnt[1]),
        done=shared_work(
            costs, starts, effects.pairs.sum(axis=2) * reached, null_used * null_reached, null, baselines
        )
        + float(relearnt[0]),
    )


@torch.inference_mode()
def measured(prepared: Prepared) -> Costs:
    """Measure the work of one image in a pass of one sample: in FLOPs, or in seconds if torch counts none."""
    try:
        costs = _pass(prepared, flops, "FLOPs")
    except Exception:  # the counter cannot follow every plugin
        costs = Costs((), 0.0, "FLOPs")
    if sum(costs.strata) > 0.0:
        return costs
    passes = [_pass(prepared, _seconds, "seconds") for _ in range(REPETITIONS)]
    strata = tuple(min(times) for times in zip(*(p.strata for p in passes), strict=True))
    scorers = {alias: min(p.scorers[alias] for p in passes) for alias in prepared.scorers}
    return Costs(strata, min(p.scoring for p in passes), "seconds", scorers)


def _pass(prepared: Prepared, meter: Meter, unit: Unit) -> Costs:
    """Measure one pass of one sample, and its scoring."""
    generator, noise = prepared.generator, noise_seed(prepared.config.synthesis.seed, Stream.VERIFICATION)
    latents = generator.sample(1, prepared.config.synthesis.seed, 0, Stream.VERIFICATION)
    codes = generator.broadcast(generator.map(latents.z, latents.condition), latents.condition)
    features: dict[int, torch.Tensor] = {}
    with autocast(generator.device, prepared.precision):
        strata, images = strata_work(
            generator,
            Inputs(1, latents.condition, latents.index, noise),
            codes,
            meter,
            features,
            prepared.features,
        )
    # The cost of scoring does not depend on whether this image is finite.
    finite = images.float().nan_to_num(0.5, 0.5, 0.5)
    rgb = to_rgb(finite, generator.card.background)

    def rendering() -> Rendering:  # a new one each time, because scorers share what they compute of one
        return Rendering(rgb, features, composed=True, pictures=finite)

    _, scoring = meter(lambda: prepared.score(rendering()))
    scorers = {
        alias: meter(partial(checked_scores, scorer, rendering()))[1]
        for alias, scorer in prepared.scorers.items()
    }
    return Costs(strata, scoring, unit, scorers)


def strata_work(
    generator: Generator,
    inputs: Inputs,
    codes: torch.Tensor,
    meter: Meter,
    features: dict[int, torch.Tensor],
    wanted: Sequence[int] = (),
) -> tuple[tuple[float, ...], torch.Tensor]:
    """Measure the work of each stratum in a pass over codes (1, L, D).

    Args:
        generator: the generator.
        inputs: inputs of one sample.
        codes: (1, L, D).
        meter: how work is measured.
        features: filled with the features of the wanted strata.
        wanted: strata whose features are needed.

    Returns:
        Work of each stratum, and the pictures (1, C, H, W).
    """
    state, first = meter(lambda: generator.begin(inputs))
    work = []
    for s in range(len(generator.strata)):

        def step(s: int = s, state: State = state) -> State:
            return advance(generator, state, codes, s, s + 1, features, wanted)

        state, cost = meter(step)
        work.append(cost)
    images, last = meter(lambda: generator.finish(state))
    work[0] += first
    work[-1] += last
    return tuple(work), images


def flops(function: Callable[[], Any]) -> tuple[Any, float]:
    """Return the result of a function, and the FLOPs of its convolutions and matrix products."""
    with FlopCounterMode(display=False) as counter:
        result = function()
    return result, float(counter.get_total_flops())


def _seconds(function: Callable[[], Any]) -> tuple[Any, float]:
    """Return the result of a function, and the seconds it took."""
    began = time.perf_counter()
    result = function()
    return result, time.perf_counter() - began
