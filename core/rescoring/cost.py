"""What re-scoring costs, counted rather than timed: work of generator and scorers in the naive order, in ours, and as far as it went.

The naive order is that of the paper's code: for every direction the unedited images are made and scored
anew, then the edited ones, each in a full pass, one for every layer set and sign. Ours makes and scores
the unedited images once for all directions, and an edited image begins at the first stratum that
reads one of its layers. Mapping z to w is left out: in any order it is done once per sample.

Work is in FLOPs as torch counts them, those of convolutions and matrix products, in one pass of one
sample. Where torch finds none in the generator, it is in seconds of one such pass.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.flop_counter import FlopCounterMode

from ..boundaries.learning_variance import replicate_samples
from ..device import autocast
from ..plugins.contracts import Generator
from ..plugins.records import Inputs, Rendering, State
from ..randomness import Stream, noise_seed
from ..runs.prepare import Prepared
from ..strata.composition import advance, first_reader
from .interim import look_sizes

Meter = Callable[[Callable[[], Any]], tuple[Any, float]]
"""Runs a function and gives its result with what it cost."""
Counts = NDArray[np.int64]
REPETITIONS = 3  # of which the fastest counts, where work is timed


@dataclass(frozen=True)
class Costs:
    """Work per image.

    Attributes:
        strata: of each stratum; what begins and finishes a pass is in the first and the last.
        scoring: of all scorers.
        unit: FLOPs or seconds.
    """

    strata: tuple[float, ...]
    scoring: float
    unit: str

    def edited(self, start: int = 0) -> float:
        """An image that restarts at a stratum, and its scores."""
        return sum(self.strata[start:]) + self.scoring


def naive_work(costs: Costs, samples: int, sets: int, boundaries: int, null: int, *, signs: int = 2) -> float:
    """In the naive order: a pass for the baseline of each direction, and one per layer set and sign; null directions have one sign."""
    return samples * costs.edited() * (boundaries * (1 + signs * sets) + null * (1 + sets))


def shared_work(
    costs: Costs,
    starts: Sequence[int],
    used: Counts,
    null_used: Counts,
    null: int,
    baselines: int,
    *,
    signs: int = 2,
) -> float:
    """With shared baselines and prefix reuse.

    Args:
        costs: of an image.
        starts: the stratum at which each layer set begins, (S,).
        used: samples of each boundary at each layer set and sign, (B, S).
        null_used: samples of every null direction at each layer set, (S,).
        null: number of null directions.
        baselines: unedited images, whoever uses them.
        signs: in which boundaries are moved.
    """
    each = np.array([costs.edited(start) for start in starts])
    return baselines * costs.edited() + float((signs * used.sum(axis=0) + null * null_used) @ each)


def counted(prepared: Prepared, used: Counts, null_used: Counts, replicates: Counts) -> dict[str, Any]:
    """Work of a run's re-scoring: in the naive order, if all samples had been taken, and what was done.

    Args:
        prepared: of the run.
        used: samples of each boundary at each layer set, (B, S).
        null_used: samples of every null direction at each layer set, (S,).
        replicates: of each boundary, learnt from resampled samples and moved at `all`, (B,); the naive order has none.
    """
    config, costs = prepared.config.rescoring, measured(prepared)
    starts = [first_reader(prepared.generator, layers) for layers in prepared.sets.values()]
    null, (boundaries, sets) = config.null_directions, used.shape
    everywhere = list(prepared.sets).index("all")
    others = [s for s in range(sets) if s != everywhere]
    step = look_sizes(config.samples, config.looks, prepared.batch)[0] if config.adaptive else prepared.batch
    again = np.array([replicate_samples(int(count), step) for count in used[:, everywhere]]) * (
        replicates > 0
    )
    baselines = config.samples
    if (
        config.adaptive
    ):  # the baseline of the decisions at `all` is made again for replicates, and for the other sets
        baselines = (
            int(used[:, everywhere].max()) + int(again.max()) + (int(used[:, others].max()) if others else 0)
        )
    relearnt = costs.edited(starts[everywhere]) * np.array(
        [replicates @ again, replicates.sum() * replicate_samples(config.samples, step)]
    )
    full = np.full_like(used, config.samples)
    return {
        "unit": costs.unit,
        "per_image": costs.edited(),
        "naive": naive_work(costs, config.samples, sets, boundaries, null),
        "full": shared_work(costs, starts, full, full[0], null, config.samples) + float(relearnt[1]),
        "done": shared_work(costs, starts, used, null_used, null, baselines) + float(relearnt[0]),
    }


@torch.inference_mode()
def measured(prepared: Prepared) -> Costs:
    """The work of one image, from one pass of one sample in FLOPs, or in seconds where torch counts none in the generator."""
    try:
        costs = _pass(prepared, flops, "FLOPs")
    except Exception:  # a plugin may be written in what the counter cannot follow
        costs = Costs((), 0.0, "FLOPs")
    if sum(costs.strata) > 0.0:
        return costs
    passes = [_pass(prepared, _seconds, "seconds") for _ in range(REPETITIONS)]
    strata = tuple(min(times) for times in zip(*(p.strata for p in passes), strict=True))
    return Costs(strata, min(p.scoring for p in passes), "seconds")


def _pass(prepared: Prepared, gauge: Meter, unit: str) -> Costs:
    generator, noise = prepared.generator, noise_seed(prepared.config.synthesis.seed, Stream.VERIFICATION)
    latents = generator.sample(1, prepared.config.synthesis.seed, 0, Stream.VERIFICATION)
    codes = generator.broadcast(generator.map(latents.z, latents.condition))
    features: dict[int, torch.Tensor] = {}
    with autocast(generator.device, prepared.precision):
        strata, images = strata_work(
            generator,
            Inputs(1, latents.condition, latents.index, noise),
            codes,
            gauge,
            features,
            prepared.features,
        )
    # What it costs to score a picture does not depend on whether this one is finite.
    rendering = Rendering(images.float().nan_to_num(0.5, 0.5, 0.5), features, composed=True)
    _, scoring = gauge(lambda: prepared.score(rendering))
    return Costs(strata, scoring, unit)


def strata_work(
    generator: Generator,
    inputs: Inputs,
    codes: torch.Tensor,
    gauge: Meter,
    features: dict[int, torch.Tensor],
    wanted: Sequence[int] = (),
) -> tuple[tuple[float, ...], torch.Tensor]:
    """What each stratum costs in a pass over codes (1, L, D), and the images."""
    state, first = gauge(lambda: generator.begin(inputs))
    found = []
    for s in range(len(generator.strata)):

        def step(s: int = s, state: State = state) -> State:
            return advance(generator, state, codes, s, s + 1, features, wanted)

        state, cost = gauge(step)
        found.append(cost)
    images, last = gauge(lambda: generator.finish(state))
    found[0] += first
    found[-1] += last
    return tuple(found), images


def flops(function: Callable[[], Any]) -> tuple[Any, float]:
    """What a function returns, and the FLOPs of convolutions and matrix products in it."""
    with FlopCounterMode(display=False) as counter:
        result = function()
    return result, float(counter.get_total_flops())


def _seconds(function: Callable[[], Any]) -> tuple[Any, float]:
    began = time.perf_counter()
    result = function()
    return result, time.perf_counter() - began
