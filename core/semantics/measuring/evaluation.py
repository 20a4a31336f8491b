"""Compare the labels of several extractors with their teacher's, over a stream of new samples.

Each picture is rendered once, and all extractors read the same feature maps. Besides the whole extractor,
each stratum is read by itself where the head adds up what the strata say (LSE, NSE-1). Nothing is kept but
counts of pixels, 8 bytes for each picture and class of a reading, and the labels of the first pictures.

Shapes: N pictures, M classes, H x W pixels of labels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...errors import ScoreError, UserError
from ...figures.pictures import Pixels, to_pixels
from ...messages import listed, visible
from ...plugins.pending import Pending, all_of, fetched, one_late, written
from ...randomness import Stream
from ..agreement import Counts, Overlaps, begin_overlaps, counted
from ..extractor import Extractor
from ..feature_maps import cropped, fault_of_maps
from ..heads import Additive, enlarge
from ..samples import Drawn, LabelledSamples

SHOWN = 4  # pictures whose labels are kept
Labels = NDArray[np.int16]


@dataclass(frozen=True)
class Reading:
    """Hold how one extractor's labels overlap with the teacher's.

    Attributes:
        name: what the extractor is called in tables.
        extractor: the extractor.
        whole: overlaps of its labels.
        strata: overlaps of the labels that each stratum gives by itself, by number of the stratum; empty for
            a head that does not add up strata, and for an ensemble.
        shown: its labels of the first pictures, (n, H, W).
        shown_strata: those of each stratum by itself, each (n, H, W).
    """

    name: str
    extractor: Extractor
    whole: Overlaps
    strata: Mapping[int, Overlaps]
    shown: Labels
    shown_strata: Mapping[int, Labels]


@dataclass(frozen=True)
class Evaluation:
    """Hold the readings of several extractors on the same pictures.

    Attributes:
        classes: names of the M classes.
        background: whether class 0 is the background.
        readings: one per extractor.
        pixels: pixels of each class in the teacher's labels, (N, M).
        pictures: the first pictures, (n, H', W', C).
        labels: the teacher's labels of them, (n, H, W).
    """

    classes: tuple[str, ...]
    background: bool
    readings: tuple[Reading, ...]
    pixels: Counts
    pictures: Pixels
    labels: Labels

    @property
    def images(self) -> int:
        """Number N of pictures."""
        return len(self.pixels)

    @property
    def occurs(self) -> NDArray[np.bool_]:
        """Whether each class occurs in the teacher's labels of any picture, (M,)."""
        return np.asarray(self.pixels.any(axis=0))

    @property
    def counted(self) -> NDArray[np.bool_]:
        """Whether each class counts in means over classes: it occurs, and is not the background, (M,)."""
        counted = self.occurs.copy()
        if self.background:
            counted[0] = False
        return counted


def strata_of(extractors: Sequence[Extractor]) -> tuple[int, ...]:
    """Return the strata that at least one extractor reads, first to last."""
    return tuple(sorted({s for extractor in extractors for s in extractor.strata}))


def evaluate(
    samples: LabelledSamples,
    extractors: Mapping[str, Extractor],
    images: int,
    *,
    stream: Stream = Stream.VERIFICATION,
    layerwise: bool = True,
    progress: Callable[[int], None] = lambda count: None,
) -> Evaluation:
    """Read new pictures by all extractors, and count where they agree with the teacher.

    Args:
        samples: samples with the teacher's labels, and the feature maps of `strata_of(extractors)`.
        extractors: extractors by name.
        images: number N of pictures; the paper takes 10,000.
        stream: stream of random numbers. Not that of training.
        layerwise: whether to read each stratum by itself as well.
        progress: told after each batch how many pictures were added.

    Raises:
        UserError: an extractor was trained for another generator or other classes.
        ScoreError: a feature map of a finite picture holds NaN or infinity.
        PictureError: a picture is not finite.
    """
    classes = samples.teacher.classes
    for name, extractor in extractors.items():
        _check(name, extractor, samples)
    counts = [_Counting(name, x, images, layerwise) for name, x in extractors.items()]
    pixels = np.zeros((images, len(classes)), dtype=np.int32)
    pictures: list[Pixels] = []
    labels: list[Labels] = []

    def begun() -> Iterator[tuple[int, Pending[None]]]:
        for start in range(0, images, samples.batch):
            drawn = samples.draw(start, stream, late=True)
            n = min(samples.batch, images - start)
            if start < SHOWN:
                pictures.append(to_pixels(drawn.rendering.images[: min(n, SHOWN - start)]))
                labels.append(_small(drawn.labels[: min(n, SHOWN - start)]))
            in_labels = fetched(counted(drawn.labels[:n], len(classes)))
            parts = [drawn.check, *(count.begin(drawn, start, n) for count in counts)]
            yield n, all_of([*parts, written(pixels[start : start + n], in_labels)])

    for n, _ in one_late(begun()):
        progress(n)
    return Evaluation(
        classes=classes,
        background=samples.teacher.background,
        readings=tuple(count.finish() for count in counts),
        pixels=pixels,
        pictures=np.concatenate(pictures),
        labels=np.concatenate(labels),
    )


def _check(name: str, extractor: Extractor, samples: LabelledSamples) -> None:
    """Refuse an extractor that does not fit the samples.

    Raises:
        UserError: it was trained for another generator or other classes.
    """
    try:
        extractor.check_generator(samples.generator)
    except UserError as error:
        raise UserError(f"{visible(name)}: {error}") from None
    ours, theirs = samples.teacher.classes, extractor.classes
    if theirs != ours:
        extra, missing = ([c for c in a if c not in b] for a, b in ((theirs, ours), (ours, theirs)))
        differences = [
            *([f"it has {listed(extra)}, which the teacher has not"] if extra else []),
            *([f"it lacks {listed(missing)}"] if missing else []),
        ] or ["they are in another order"]
        raise UserError(
            f"{visible(name)}: its classes are not those of the teacher: {'; '.join(differences)}. "
            "Only extractors of the same classes can be compared"
        )


def _small(labels: Tensor) -> Labels:
    return np.asarray(labels.cpu().numpy(), dtype=np.int16)


class _Counting:
    """Collect the overlaps of one extractor, batch by batch."""

    def __init__(self, name: str, extractor: Extractor, images: int, layerwise: bool) -> None:
        self.name, self.extractor = name, extractor
        self.classes = len(extractor.classes)
        self.whole = Overlaps.empty(images, self.classes)
        head = extractor.heads[0]
        alone = isinstance(head, Additive) and len(extractor.heads) == 1 and layerwise
        self.additive = head if alone and isinstance(head, Additive) else None
        strata = extractor.strata if alone else ()
        self.strata = {s: Overlaps.empty(images, self.classes) for s in strata}
        self.shown: list[Labels] = []
        self.shown_strata: dict[int, list[Labels]] = {s: [] for s in strata}

    @torch.no_grad()
    def begin(self, drawn: Drawn, start: int, n: int) -> Pending[None]:
        """Read the first n pictures of a batch that begins at picture `start`; the result adds them."""
        size = (drawn.labels.shape[1], drawn.labels.shape[2])
        target, few = drawn.labels[:n], max(min(n, SHOWN - start), 0)
        found = {}
        if self.additive is None:
            logits = self.extractor.logits(drawn.rendering.features, size)[:n]
        else:
            maps = cropped(drawn.rendering.features, self.extractor.architecture.maps)
            readings = [reading[:n] for reading in self.additive.readings(maps)]
            logits = self.additive.combined(readings, size)
            for s, reading in zip(self.strata, readings, strict=True):
                # The layer weight is positive, so it does not change which class is highest.
                alone = enlarge(reading, size).max(dim=1).indices
                found[s] = begin_overlaps(alone, target, self.classes)
                self.shown_strata[s] += [_small(alone[:few])] if few else []
        finite = self._begin_check_finite(logits, drawn, start)
        labels = logits.max(dim=1).indices
        whole = begin_overlaps(labels, target, self.classes)
        self.shown += [_small(labels[:few])] if few else []

        def add() -> None:
            finite.result()
            self.whole.put(start, whole.result())
            for s, one in found.items():
                self.strata[s].put(start, one.result())

        return Pending(add, at_once=finite.at_once)

    def finish(self) -> Reading:
        """Return all that was collected."""
        return Reading(
            self.name,
            self.extractor,
            self.whole,
            self.strata,
            np.concatenate(self.shown),
            {s: np.concatenate(labels) for s, labels in self.shown_strata.items()},
        )

    def _begin_check_finite(self, logits: Tensor, drawn: Drawn, start: int) -> Pending[None]:
        """Return the check that logits are finite.

        Its result is a ScoreError if some are not; the message names the stratum whose feature map is to
        blame.
        """
        finite = fetched(torch.isfinite(logits).flatten(1).all(dim=1))
        described = self.extractor.architecture.maps
        maps = cropped(drawn.rendering.features, described)

        def check() -> None:
            if finite.result().all():
                return
            i = int(finite.result().argmin())
            if fault := fault_of_maps(described, [x[i : i + 1] for x in maps], [start + i]):
                raise ScoreError(f"{visible(self.name)} cannot read sample {start + i}: {fault}")
            raise ScoreError(
                f"{visible(self.name)} gives logits of sample {start + i} that are not finite, from feature "
                "maps that are: its parameters are too large. Train it again, with a smaller learning rate"
            )

        return Pending(check, at_once=finite.at_once)
