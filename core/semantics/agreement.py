"""Measure how well predicted labels agree with target labels: IoU, pixel accuracy, relative gaps.

There are two ways to average an IoU over pictures, and they give different numbers. Both are reported, and
named apart everywhere:

- per image: the mean over pictures of each picture's IoU (the paper, appendix A, equation 4);
- pooled: the IoU of all pictures laid side by side.

Intervals come from resampled pictures. One matrix of resamplings serves all extractors, so differences
between them are resampled together.

Source: Xu & Zheng, "Linear Semantics in Generative Adversarial Networks", CVPR 2021, appendices A, D and H.
Shapes: N pictures, M classes, R resamplings, H x W pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import ShapeError
from ..plugins.pending import Fetch, Pending
from ..statistics import Floats, interval, resampled_means, sample_means, widened

Counts = NDArray[np.int32]


@dataclass(frozen=True)
class Overlaps:
    """Hold how predicted and target labels overlap, picture by picture, in pixels.

    Attributes:
        intersections: pixels that have the class in both, (N, M).
        unions: pixels that have the class in either, (N, M).
        correct: pixels with equal labels, (N,).
        known: pixels with a target label, (N,).
    """

    intersections: Counts
    unions: Counts
    correct: Counts
    known: Counts

    @staticmethod
    def empty(pictures: int, classes: int) -> Overlaps:
        """Return overlaps of no pixels, to be filled picture by picture."""
        return Overlaps(
            np.zeros((pictures, classes), dtype=np.int32),
            np.zeros((pictures, classes), dtype=np.int32),
            np.zeros(pictures, dtype=np.int32),
            np.zeros(pictures, dtype=np.int32),
        )

    def put(self, start: int, part: Overlaps) -> None:
        """Write the overlaps of some pictures in place, from picture `start` on; the rest is cut off."""
        for name, whole in vars(self).items():
            rows = whole[start : start + len(getattr(part, name))]
            rows[:] = getattr(part, name)[: len(rows)]


def pixels_of_classes(labels: Tensor, classes: int) -> Counts:
    """Count the pixels of each class in each picture, (N, M); labels (N, H, W) below 0 are left out."""
    return np.asarray(counted(labels, classes).cpu().numpy())


def counted(labels: Tensor, classes: int) -> Tensor:
    """Count the pixels of each class in each picture, (N, M), int32, on the device of the labels.

    An accelerator is not waited for. Labels (N, H, W) that are none of 0 to M - 1 are left out.
    """
    n = labels.shape[0]
    flat = labels.flatten(1).long()  # (N, H*W)
    known = (flat >= 0) & (flat < classes)
    first = (classes + 1) * torch.arange(n, device=labels.device)[:, None]
    bins = (torch.where(known, flat, classes) + first).flatten()  # the last bin of a picture is left out
    one = torch.ones(1, dtype=torch.int32, device=labels.device)
    counts = one.new_zeros(n * (classes + 1)).scatter_add_(0, bins, one.expand_as(bins))
    return counts.view(n, classes + 1)[:, :classes]


def overlaps(predicted: Tensor, target: Tensor, classes: int) -> Overlaps:
    """Count intersections and unions of predicted and target labels in each picture.

    Pixels without a target label (below 0, `teacher.UNKNOWN`) are left out of everything. Pixels of the
    background class count as those of any class: the authors drop the score of class 0, not its pixels.

    Args:
        predicted: labels (N, H, W) from 0 to M - 1.
        target: labels (N, H, W) from 0 to M - 1, or below 0 where unknown.
        classes: number of classes M.

    Raises:
        ShapeError: the shapes differ, or a label is outside of the classes.

    >>> found = overlaps(torch.tensor([[[0, 1, 1]]]), torch.tensor([[[0, 1, -1]]]), 2)
    >>> found.intersections.tolist(), found.unions.tolist(), found.correct.tolist()
    ([[1, 1]], [[1, 1]], [2])
    """
    return begin_overlaps(predicted, target, classes).result()


def begin_overlaps(predicted: Tensor, target: Tensor, classes: int) -> Pending[Overlaps]:
    """Return what `overlaps` returns, without waiting for it.

    Raises:
        ShapeError: the shapes differ; the result raises it for a label outside of the classes.
    """
    if predicted.ndim != 3 or predicted.shape != target.shape:
        raise ShapeError(
            f"predicted labels of shape {tuple(predicted.shape)} cannot be compared with target labels of "
            f"shape {tuple(target.shape)}; both must be (N, H, W)"
        )
    predicted, target = predicted.long(), target.long().to(predicted.device)
    known = target >= 0
    equal = known & (predicted == target)
    both = counted(torch.where(equal, target, -1), classes)
    areas = counted(torch.where(known, predicted, -1), classes) + counted(target, classes)
    totals = [mask.sum(dim=(1, 2)) for mask in (equal, known)]
    ends = [x for labels in (predicted, target) if labels.numel() for x in torch.aminmax(labels)]
    parts = [both, areas, *totals, *ends]
    fetch = Fetch(torch.cat([part.flatten().long() for part in parts]))

    def finish() -> Overlaps:
        values = np.split(fetch.array(), np.cumsum([part.numel() for part in parts])[:-1])
        _check_ends([int(x[0]) for x in values[4:]], classes)
        common, either, correct, there = (x.astype(np.int32) for x in values[:4])
        common, either = (x.reshape(both.shape) for x in (common, either))
        return Overlaps(common, either - common, correct, there)

    return Pending(finish, at_once=fetch.at_once)


def _check_ends(ends: Sequence[int], classes: int) -> None:
    """Refuse predicted and target labels by the least and the greatest of both, if there are any.

    Raises:
        ShapeError: one is outside of the classes.
    """
    for name, least, greatest in zip(("predicted", "target"), ends[::2], ends[1::2], strict=False):
        if greatest >= classes or (name == "predicted" and least < 0):
            raise ShapeError(
                f"{name} labels go from {least} to {greatest}; there are {classes} classes, 0 to "
                f"{classes - 1}"
            )


@dataclass(frozen=True)
class Measured:
    """Hold numbers with what they are in resampled pictures.

    Attributes:
        value: the numbers, any shape (...); NaN where undefined.
        replicates: the numbers in each resampling, (R, ...).
        count: number of pictures that each number rests on, (...).
        least, most: range of the numbers, which intervals do not leave.
    """

    value: Floats
    replicates: Floats
    count: NDArray[np.int64]
    least: float = 0.0
    most: float = 1.0

    @property
    def bounds(self) -> tuple[Floats, Floats]:
        """Low and high of the 95 % interval, each (...); NaN for numbers that rest on one picture or none."""
        low, high = interval(widened(self.replicates, self.value, self.count))
        return np.clip(low, self.least, self.most), np.clip(high, self.least, self.most)

    def part(self, index: int) -> Measured:
        """Return the number at a position of the first axis."""
        return Measured(
            np.asarray(self.value[index]),
            self.replicates[:, index],
            np.asarray(self.count[index]),
            self.least,
            self.most,
        )


def image_ious(found: Overlaps) -> Floats:
    """Return the IoU of each class in each picture, (M, N); NaN where the class is in neither."""
    return _ratio(found.intersections.T, found.unions.T)


def iou_per_image(found: Overlaps, weights: Floats) -> Measured:
    """Return the IoU of each class averaged over pictures, (M,).

    IoU_m = mean over pictures i with a nonempty union of |A_im & B_im| / |A_im | B_im|   (equation 4)

    A class has NaN if no picture has it in either.

    Args:
        found: overlaps of N pictures.
        weights: how often each picture is drawn in each resampling, (R, N).
    """
    ious = image_ious(found)
    return Measured(
        sample_means(ious), resampled_means(ious, weights), (~np.isnan(ious)).sum(axis=1, dtype=np.int64)
    )


def iou_pooled(found: Overlaps, weights: Floats) -> Measured:
    """Return the IoU of each class over the pixels of all pictures, (M,); NaN if no picture has the class.

    IoU_m = (sum over i of |A_im & B_im|) / (sum over i of |A_im | B_im|)

    Args:
        found: overlaps of N pictures.
        weights: how often each picture is drawn in each resampling, (R, N).
    """
    return Measured(
        _ratio(found.intersections.sum(axis=0, dtype=np.int64), found.unions.sum(axis=0, dtype=np.int64)),
        _ratio(weights @ found.intersections, weights @ found.unions),
        (found.unions > 0).sum(axis=0, dtype=np.int64),
    )


def pixel_accuracy(found: Overlaps, weights: Floats) -> Measured:
    """Return the share of pixels with a target label that are predicted right, as one number.

    Args:
        found: overlaps of N pictures.
        weights: how often each picture is drawn in each resampling, (R, N).
    """
    return Measured(
        _ratio(found.correct.sum(dtype=np.int64), found.known.sum(dtype=np.int64)),
        _ratio(weights @ found.correct, weights @ found.known),
        np.asarray((found.known > 0).sum(dtype=np.int64)),
    )


def mean_over_classes(classes: Measured, pictures: int, counted: NDArray[np.bool_]) -> Measured:
    """Return the mean IoU (mIoU), as one number: the mean over the classes that are defined.

    In a resampling without any picture of a class, the mean is over the other classes.

    Args:
        classes: IoU of each class, (M,).
        pictures: number N of pictures.
        counted: classes that count, (M,); the background never does.
    """
    return Measured(
        sample_means(np.where(counted, classes.value, np.nan)),
        sample_means(np.where(counted, classes.replicates, np.nan)),
        np.asarray(pictures),
        classes.least,
        classes.most,
    )


def relative_gap(y: Measured, best: Measured) -> Measured:
    """Return (y - y*) / y*, of numbers from the same resamplings (appendix D).

    Args:
        y: a quality.
        best: the quality y* that it is compared with.
    """
    return Measured(
        _ratio(y.value - best.value, best.value),
        _ratio(y.replicates - best.replicates, best.replicates),
        np.minimum(y.count, best.count),
        -np.inf,
        np.inf,
    )


def semantic_agreement(agreements: Floats, weights: Floats) -> Measured:
    """Return the mean agreement of sampled pictures with the targets that they were sampled for.

    A = mean over targets i of the mean over pictures j of mIoU(Y_i, P(I_ij))   (appendix H, equation 7)

    Args:
        agreements: mIoU of each picture with its target, (T, J) for T targets and J pictures each, as
            `picture_mious` gives it; NaN is left out.
        weights: how often each target is drawn in each resampling, (R, T).
    """
    targets = sample_means(agreements)
    return Measured(
        sample_means(targets),
        resampled_means(targets, weights),
        np.asarray((~np.isnan(targets)).sum(dtype=np.int64)),
    )


def picture_mious(found: Overlaps, *, background: bool) -> Floats:
    """Return the mIoU of each picture, (N,): the mean over classes that are in either of its labels.

    Args:
        found: overlaps of N pictures.
        background: whether class 0 is the background, which does not count.
    """
    return sample_means(image_ious(found)[1 if background else 0 :].T)


def selected_classes(ious: Floats, threshold: float = 0.1, *, background: bool = False) -> tuple[int, ...]:
    """Return the classes that at least one extractor reads with an IoU above a threshold (appendix E).

    Choose on pictures other than those of the evaluation, or the quality of the chosen classes is overrated.

    Args:
        ious: per-image averaged IoU of E extractors for each class, (E, M); NaN where undefined.
        threshold: IoU that a class must exceed.
        background: whether class 0 is the background, which is never chosen.

    >>> selected_classes(np.array([[0.9, 0.05, np.nan, 0.1], [0.8, 0.2, np.nan, 0.0]]))
    (0, 1)
    """
    enough = (np.nan_to_num(ious, nan=-1.0) > threshold).any(axis=0)
    return tuple(int(m) for m in np.flatnonzero(enough) if not (background and m == 0))


def _ratio(above: NDArray[np.number], below: NDArray[np.number]) -> Floats:
    """Divide; NaN where nothing is divided by nothing."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(
            np.where(np.asarray(below) != 0, above / np.asarray(below, dtype=np.float64), np.nan)
        )
