"""Set sets of units on new pictures, and count how much of each class there is before and after.

Ablation sets units to 0, or to their mean, everywhere. Insertion sets them to a high value in a square of the
picture, at a random place. The square is also ablated, since the average causal effect is the difference
between the two. Random unit sets of the same size are the null: many networks lose or gain a class if any
units are set.

Shapes: N pictures, M classes, H x W pixels of the labels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..device import sent
from ..plugins.pending import DONE, Pending, all_of, fetched, one_late, written
from ..plugins.records import Rendering
from ..randomness import Stream, Use, noise_seed, uniforms
from ..semantics.agreement import counted
from ..semantics.feature_maps import FeatureMap
from ..semantics.nearest import nearest_planes
from ..semantics.samples import LabelledSamples
from ..statistics import Floats
from ..strata.composition import Pass
from ..strata.units import UnitEdit

TESTING = Stream.EDITING
SQUARE = 4  # a square's sides are this fraction of the feature map's


@dataclass(frozen=True)
class UnitSet:
    """Name units of one stratum that are set together.

    Attributes:
        stratum: number of the stratum.
        units: numbers of the units.
        off: value of each unit where it is ablated.
        high: value of each unit where it is inserted.
    """

    stratum: int
    units: tuple[int, ...]
    off: tuple[float, ...]
    high: tuple[float, ...]

    def ablated(self, where: Tensor | None = None) -> UnitEdit:
        """Return the edit that ablates the units."""
        return UnitEdit(self.stratum, self.units, self.off, where)

    def inserted(self, where: Tensor) -> UnitEdit:
        """Return the edit that inserts the units."""
        return UnitEdit(self.stratum, self.units, self.high, where)


@dataclass(frozen=True)
class Shares:
    """Hold shares of pixels with each class, before and after unit sets are set.

    Attributes:
        before: of the whole picture, (N, M).
        ablated: of the whole picture, units ablated everywhere, (sets, N, M).
        square: of the square, before, (N, M).
        square_ablated: of the square, units ablated in it, (sets, N, M); NaN but for the largest sets.
        square_inserted: of the square, units inserted in it, (sets, N, M).
    """

    before: Floats
    ablated: Floats
    square: Floats
    square_ablated: Floats
    square_inserted: Floats


def squares(described: FeatureMap, index: Sequence[int], seed: int) -> Tensor:
    """Return a square at a random place of a feature map for each sample, (N, h, w) of zeros and ones.

    Its sides are a quarter of the map's, at least one pixel. All places within the map are equally likely.
    """
    h, w = described.height, described.width
    sides = max(h // SQUARE, 1), max(w // SQUARE, 1)
    planes = torch.zeros(len(index), h, w)
    for plane, i in zip(planes, index, strict=True):
        draws = uniforms(seed, TESTING, Use.PIXELS, i, 2)
        top, left = (int(u * (whole - side + 1)) for u, whole, side in zip(draws, (h, w), sides, strict=True))
        plane[top : top + sides[0], left : left + sides[1]] = 1.0
    return planes


def begin_shares(
    labels: Tensor, classes: int, where: Tensor | None = None, check: Pending[None] = DONE
) -> Pending[Floats]:
    """Return the share of each class in pixels of labels (N, H, W), all or those of `where`, (N, M).

    The labels are not waited for. The result begins with a check.

    >>> labels = torch.tensor([[[0, 1], [1, 1]]])
    >>> begin_shares(labels, 2).result().tolist()
    [[0.25, 0.75]]
    >>> begin_shares(labels, 2, torch.tensor([[[True, False], [True, False]]])).result().tolist()
    [[0.5, 0.5]]
    """
    fetch = fetched(counted(labels if where is None else torch.where(where, labels, -1), classes))

    def shares() -> Floats:
        check.result()
        counts = fetch.result().astype(np.float64)
        return np.asarray(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1.0))

    return Pending(shares, at_once=fetch.at_once)


@torch.no_grad()
def measure_sets(
    samples: LabelledSamples, sets: Sequence[UnitSet], count: int, advance: Callable[[int], object]
) -> Shares:
    """Set every unit set on `count` new pictures, and count classes before and after.

    On an accelerator the shares of a set are read when the next set was begun.

    Args:
        samples: samples; their strata do not matter.
        sets: unit sets of one stratum.
        count: number N of pictures.
        advance: told after each batch how many pictures were measured.

    Raises:
        PictureError: a picture is not finite.
        ScoreError: the segmenter returned something of another shape.
    """
    shape = len(sets), count, len(samples.teacher.classes)
    # The square is ablated by the largest sets alone.
    shares = Shares(
        np.empty(shape[1:]), np.empty(shape), np.empty(shape[1:]), np.full(shape, np.nan), np.empty(shape)
    )
    for _ in one_late(_begun_shares(samples, sets, shares, advance)):
        pass
    return shares


def _begun_shares(
    samples: LabelledSamples, sets: Sequence[UnitSet], shares: Shares, advance: Callable[[int], object]
) -> Iterator[tuple[None, Pending[None]]]:
    """Render, and yield what writes the shares of each rendering."""
    (stratum,) = {one.stratum for one in sets}
    (described,) = (m for m in samples.maps if m.stratum == stratum)
    count, classes = shares.before.shape
    largest = max(len(one.units) for one in sets)
    for start in range(0, count, samples.batch):
        n = min(samples.batch, count - start)
        rows = slice(start, start + n)
        kept, index = _baseline(samples, start, stratum)
        where = sent(squares(described, index, samples.seed), samples.generator.device)
        labels, check = _begin_labels(samples, kept.rendering)
        inside = nearest_planes(where, (labels.shape[1], labels.shape[2])) > 0.5

        def seen(
            into: Floats, edit: UnitEdit, inside: Tensor | None = None, kept: Pass = kept, n: int = n
        ) -> tuple[None, Pending[None]]:
            found, check = _begin_labels(samples, kept.with_units([edit]))
            within = None if inside is None else inside[:n]
            return None, written(into, begin_shares(found[:n], classes, within, check))

        before = begin_shares(labels[:n], classes, None, check)
        square = begin_shares(labels[:n], classes, inside[:n], check)
        yield None, all_of([written(shares.before[rows], before), written(shares.square[rows], square)])
        for s, one in enumerate(sets):
            yield seen(shares.ablated[s, rows], one.ablated())
        for s, one in enumerate(sets):
            if len(one.units) == largest:
                yield seen(shares.square_ablated[s, rows], one.ablated(where), inside)
        for s, one in enumerate(sets):
            yield seen(shares.square_inserted[s, rows], one.inserted(where), inside)
        advance(n)


def _begin_labels(samples: LabelledSamples, rendering: Rendering) -> tuple[Tensor, Pending[None]]:
    """Return the labels (N, H, W) of a rendering, and the check of both."""
    labels, check = samples.teacher.begin_labels(rendering)
    return labels, all_of([Pending(rendering.settle, at_once=rendering.settled), check])


def _baseline(samples: LabelledSamples, start: int, stratum: int) -> tuple[Pass, list[int]]:
    """Render a batch as it is, with the state after a stratum kept, and return the indices of its samples."""
    generator = samples.generator
    latents = generator.sample(samples.batch, samples.seed, start, TESTING)
    codes = generator.broadcast(generator.map(latents.z, latents.condition), latents.condition)
    kept = Pass(
        generator,
        codes,
        condition=latents.condition,
        index=latents.index,
        noise=noise_seed(samples.seed, TESTING),
        precision=samples.precision,
        features=samples.teacher.segmenter.features,
        restarts=[stratum + 1],
        late=True,
    )
    return kept, latents.index.tolist()


def random_orders(units: int, count: int, seed: int, stratum: int) -> NDArray[np.int64]:
    """Return random orders of the units of a stratum, (count, units); the first k of each are one set."""
    rng = np.random.default_rng([seed, stratum, units, count])
    return np.argsort(rng.random((count, units)), axis=1)
