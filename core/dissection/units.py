"""Measure every unit: level and class chosen on some pictures, IoU and chance on others.

Shapes: U units of all strata, one after the other; M classes; K sampled pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..device import sent
from ..plugins.pending import Pending, all_of, fetched, one_late
from ..randomness import Stream
from ..runs.progress import Progress
from ..semantics.agreement import Measured, Overlaps, iou_pooled
from ..semantics.feature_maps import FeatureMap
from ..semantics.learning.pixels import choose_pixels, pixel_features
from ..semantics.samples import LabelledSamples
from ..statistics import Floats, benjamini_hochberg, bootstrap_weights
from .chance import chance_level, permuted_intersections, rank_p_values
from .counting import Tallies, batches, enlarged, masks_above, planes_of, split, with_ones
from .levels import SHARES, Measure, Tally, candidates, choose, pooled_iou
from .request import DissectRequest

CHOOSING, MEASURING = Stream.PROBING, Stream.VERIFICATION
VALUES = 8192  # sampled pixels, of all pictures, from which quantiles of each unit are taken
PIXELS = 512  # sampled pixels of each picture on which levels are compared: neighbours say nearly the same
HIGH = 0.99  # quantile to which units are set when they are painted in
RESAMPLINGS = 1000


@dataclass(frozen=True)
class Units:
    """Hold what was measured of all units.

    Attributes:
        maps: feature map of each stratum.
        classes: names of the M classes.
        background: whether class 0 is the background, which no unit can have.
        stratum: number of the stratum of each unit, (U,).
        unit: number of each unit in its stratum, (U,).
        level: value above which each unit is on, (U,).
        label: class of each unit, (U,); -1 for none, such as of a constant unit.
        iou: pooled IoU with each class on the pictures that measure, (U, M); NaN without pixels of the class.
        own: IoU with the own class, (U,), with what it is in resampled pictures.
        chance: mean IoU with the own class's masks of other pictures, (U,).
        p: exact p value of the own IoU among permuted masks, (U,); NaN without a class or its pixels.
        q: p after Benjamini and Hochberg's correction over all units, (U,).
        on: share of the pixels where each unit is on, (U,).
        shown: pictures with each class, of those that measure, (M,).
        share: share of the pixels with each class, (M,).
        highest: largest value of each unit in each picture that measures, (N, U).
        mean: mean of each unit, (U,).
        high: 99 % quantile of each unit, (U,).
    """

    maps: tuple[FeatureMap, ...]
    classes: tuple[str, ...]
    background: bool
    stratum: NDArray[np.int64]
    unit: NDArray[np.int64]
    level: Floats
    label: NDArray[np.int64]
    iou: Floats
    own: Measured
    chance: Floats
    p: Floats
    q: Floats
    on: Floats
    shown: NDArray[np.int64]
    share: Floats
    highest: NDArray[np.float32]
    mean: Floats
    high: Floats

    def rows_of(self, stratum: int) -> NDArray[np.int64]:
        """Return the numbers in 0 .. U - 1 of the units of a stratum, in the order of its channels."""
        return np.flatnonzero(self.stratum == stratum)

    def above_chance(self, rate: float) -> NDArray[np.bool_]:
        """Return which units overlap with their class more than by chance, (U,)."""
        return np.asarray(np.nan_to_num(self.q, nan=1.0) < rate)


@torch.no_grad()
def measure_units(samples: LabelledSamples, request: DissectRequest, progress: Progress) -> Units:
    """Measure every unit of the strata of `samples`.

    Raises:
        DataError: a feature map is not finite.
        PictureError: a picture is not finite.
    """
    maps, classes = samples.maps, samples.teacher.classes
    with progress.stage("quantiles", total=request.samples) as bar:
        each = -(-VALUES // request.samples)
        parts = sampled_values(samples, request.samples, each, bar)
        # Candidates need not be exact quantiles: everything is counted at whichever level is taken.
        begun = ((labels, fetched(part)) for part, labels in parts)
        values = np.concatenate([part for _, part in one_late(begun)])
    with progress.stage("levels", total=request.samples) as bar:
        level, label = _chosen(samples, values, request, bar)
    with progress.stage("overlaps", total=request.samples) as bar:
        found = _Measuring(samples, level, label, request.samples)
        measured = (
            (len(drawn.images), all_of([drawn.check, found.begin(drawn.start, drawn.maps, drawn.labels)]))
            for drawn in batches(samples, request.samples, MEASURING)
        )
        for count, _ in one_late(measured):
            bar(count)
    on = sent(level.astype(np.float32), samples.generator.device)
    with progress.stage("chance", total=request.samples) as bar:
        permuted = permuted_intersections(
            samples,
            MEASURING,
            found.labels,
            on,
            label,
            request.permutations,
            bar,
        )
    return found.finish(values, permuted, maps, classes, samples.seed)


def sampled_values(
    samples: LabelledSamples, count: int, each: int, advance: Callable[[int], object]
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield, batch by batch, the values (K, U) of all units at random pixels, and their labels (K,).

    An accelerator is waited for once in a batch: the host chooses the pixels by the labels.

    Args:
        samples: samples with their maps.
        count: number of pictures, those that choose.
        each: pixels of each picture.
        advance: told after each batch how many pictures were read.
    """
    for drawn in batches(samples, count, CHOOSING):
        index = drawn.latents.index[: len(drawn.images)].tolist()
        pixels = choose_pixels(drawn.labels, each, index, samples.seed, CHOOSING)
        drawn.check.result()  # it has arrived with the labels
        yield pixel_features(drawn.maps, pixels, drawn.size), pixels.labels(drawn.labels)
        advance(len(drawn.images))


def _chosen(
    samples: LabelledSamples,
    values: NDArray[np.float32],
    request: DissectRequest,
    advance: Callable[[int], object],
) -> tuple[Floats, NDArray[np.int64]]:
    """Return level and class of each unit, each (U,)."""
    fixed = isinstance(request.threshold, float)
    shares = (cast("float", request.threshold),) if fixed else SHARES
    levels = candidates(values, shares).astype(np.float32)  # (Q, U)
    found = Tallies(sent(levels, samples.generator.device), len(samples.teacher.classes))
    for at, labels in sampled_values(samples, request.samples, PIXELS, advance):
        found.add(at, labels)
    tally = Tally(
        found.both.cpu().numpy(), found.on.cpu().numpy(), found.labelled.cpu().numpy(), found.pixels
    )
    allowed = np.ones(len(samples.teacher.classes), dtype=bool)
    allowed[0] = not samples.teacher.background
    chosen = choose(tally, cast("Measure", "iou" if fixed else request.threshold), allowed)
    return levels[chosen.level, np.arange(levels.shape[1])].astype(np.float64), chosen.label


class _Measuring:
    """Collect overlaps of all units at their levels, picture by picture for the own class."""

    def __init__(self, samples: LabelledSamples, level: Floats, label: NDArray[np.int64], count: int) -> None:
        device = samples.generator.device
        self.widths = [described.channels for described in samples.maps]
        self.classes, self.background = len(samples.teacher.classes), samples.teacher.background
        self.level, self.label = level, label
        levels = sent(level.astype(np.float32), device)
        self.levels = split(levels, self.widths)
        self.counts = [
            torch.zeros(len(part), self.classes + 1, dtype=torch.int64, device=device) for part in self.levels
        ]
        self.own = split(sent(np.maximum(label, 0), device), self.widths)
        self.overlaps = Overlaps.empty(count, len(level))
        self.highest = np.zeros((count, len(level)), dtype=np.float32)
        self.pixels = np.zeros((count, self.classes), dtype=np.int64)
        self.labels: list[Tensor] = []

    def begin(self, start: int, maps: Sequence[Tensor], labels: Tensor) -> Pending[None]:
        """Measure pictures from number `start` on; the result adds them."""
        size = (labels.shape[1], labels.shape[2])
        planes = planes_of(labels, self.classes)  # (N, P, M)
        areas = planes.sum(dim=1)
        rows = slice(start, start + len(labels))
        both, either, highest = [], [], []
        columns = with_ones(planes)
        for x, level, total, own in zip(maps, self.levels, self.counts, self.own, strict=True):
            mask = masks_above(enlarged(x, size), level)  # (N, c, P)
            counts = torch.bmm(mask, columns)  # (N, c, M + 1)
            total += counts.sum(dim=0).long()
            on = counts[..., -1]
            mine = counts.gather(2, own.expand(len(x), -1)[..., None])[..., 0]
            both.append(mine)
            either.append(on + areas[:, own] - mine)
            highest.append(x.flatten(2).amax(dim=2))
        seen = fetched(labels.to(torch.int16))
        most = fetched(torch.cat(highest, dim=1))
        counted = fetched(torch.cat([areas, *both, *either], dim=1).long())  # (N, M + 2 U)

        def add() -> None:
            self.labels += list(torch.from_numpy(seen.result()))
            self.highest[rows] = most.result()
            ends = [self.classes, self.classes + len(self.level)]
            self.pixels[rows], common, any_ = np.split(counted.result(), ends, axis=1)
            self.overlaps.intersections[rows], self.overlaps.unions[rows] = common, any_

        return Pending(add, at_once=counted.at_once)

    def finish(
        self,
        values: NDArray[np.float32],
        permuted: NDArray[np.int32],
        maps: tuple[FeatureMap, ...],
        classes: tuple[str, ...],
        seed: int,
    ) -> Units:
        """Return everything that is known of the units."""
        counts = torch.cat(self.counts).cpu().numpy()  # (U, M + 1)
        both, on = counts[:, :-1], counts[:, -1]
        labelled = self.pixels.sum(axis=0)
        total = sum(plane.numel() for plane in self.labels)
        own = np.maximum(self.label, 0)
        known = (self.label >= 0) & (labelled[own] > 0)
        observed = self.overlaps.intersections.sum(axis=0, dtype=np.int64)
        weights = bootstrap_weights(len(self.pixels), RESAMPLINGS, seed)
        measured = iou_pooled(self.overlaps, weights)
        p = np.where(known, rank_p_values(observed, permuted), np.nan)
        return Units(
            maps=maps,
            classes=classes,
            background=self.background,
            stratum=np.repeat([m.stratum for m in maps], [m.channels for m in maps]),
            unit=np.concatenate([np.arange(m.channels) for m in maps]),
            level=self.level,
            label=self.label,
            iou=pooled_iou(Tally(both, on, labelled, total)),
            own=Measured(
                np.where(known, measured.value, np.nan),
                np.where(known, measured.replicates, np.nan),
                measured.count,
            ),
            chance=np.where(known, chance_level(permuted, on + labelled[own]), np.nan),
            p=p,
            q=benjamini_hochberg(p),
            on=on / total,
            shown=(self.pixels > 0).sum(axis=0),
            share=labelled / total,
            highest=self.highest,
            mean=values.mean(axis=0, dtype=np.float64),
            high=np.quantile(values, HIGH, axis=0).astype(np.float64),
        )
