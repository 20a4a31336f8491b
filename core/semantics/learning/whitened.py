"""Refine a solution in closed form by logistic regression, in coordinates in which it converges fast.

LDA takes classes for normal, which those of real features are not. Logistic regression assumes nothing of the
kind, but channels differ much in size and vary together, so that gradient descent takes tens of thousands of
pictures. LDA has the remedy already: the covariance W within classes. In the whitened features

    u = C^-1 (f - m),    W + g v I = C C^T,    m the mean feature, v the mean variance

every direction has the same spread within a class, and one pass of Adam over few pictures suffices.

A held-out loss guards the pass. It is measured after every section of the pass, and a section that made it
worse is taken back, and the rate halved. The planes that were best at any time are the result, if they are no
worse than those of LDA by held-out mIoU too.

Sources: LeCun, Bottou, Orr and Müller, "Efficient BackProp", 1998, section 4.3 (a linear layer converges
faster on decorrelated inputs of the same variance); Kingma and Ba, "Adam", ICLR 2015.
Shapes: N samples, M classes, F = sum of c_s over the strata.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ...plugins.pending import OneBehind, Pending, fetched
from ..feature_maps import require_finite
from ..heads import Size, linear_logits
from ..samples import LabelledSamples
from ..teacher import UNKNOWN
from .closed_form import (
    Candidate,
    ClosedForm,
    ClosedFormSettings,
    Sampled,
    best_solution,
    calibrated,
    held_logits,
    pixel_miou,
    sum_pixels,
)
from .images import FreshImages
from .losses import pixel_cross_entropy
from .planes import PixelSums, Planes, shrunk_root

RATE = 0.005  # of Adam, in standard deviations; falls to zero along the pass
BETAS = (0.9, 0.99)
STEP = 16  # pictures
SECTIONS = 8
SHRINKAGE = 1e-2  # g
FIRST = 384  # pictures for LDA, or half of them if there are fewer than twice as many
PIXELS = 128  # of each of these: the pass makes up for what fewer pixels miss


@dataclass(frozen=True)
class WhitenedSettings:
    """Set a refined solution.

    Attributes:
        images: samples to learn from; LDA takes the first, the pass the others.
        held_out: further samples that guard the pass.
        rate: learning rate of Adam at the start.
    """

    images: int
    held_out: int = 96
    rate: float = RATE

    @property
    def closed_form(self) -> ClosedFormSettings:
        """Settings of the LDA that the pass starts from."""
        return ClosedFormSettings("lda", min(FIRST, self.images // 2), self.held_out, PIXELS)


@dataclass(frozen=True)
class Section:
    """Hold what a section of the pass did.

    Attributes:
        images: number of samples that were learnt from so far, those of LDA included.
        loss: mean cross-entropy of the section's samples, each before the step that learnt from it.
        rate: learning rate of Adam at the start of the pass, as often halved as there were refusals.
        held_loss: cross-entropy of held-out pixels after the section.
        miou: mIoU of held-out pixels after the section.
        kept: whether the held-out loss fell; else the section was taken back.
    """

    images: int
    loss: float
    rate: float
    held_loss: float
    miou: float
    kept: bool


@dataclass(frozen=True)
class Refined:
    """Hold the result.

    Attributes:
        start: the LDA that the pass began with.
        best: the planes of the pass, or those of `start` if these are better.
        sections: what the pass did.
        improved: whether `best` comes from the pass.
    """

    start: ClosedForm
    best: Candidate
    sections: tuple[Section, ...]
    improved: bool


def solve_whitened(
    samples: LabelledSamples,
    settings: WhitenedSettings,
    advance: Callable[[int], object] = lambda count: None,
) -> Refined:
    """Solve by LDA, and refine the solution in one pass over further samples.

    Args:
        samples: generator and teacher.
        settings: numbers.
        advance: called with the number of samples after every batch or step.

    Raises:
        DataError: fewer than two classes occur, or features are not finite.
    """
    closed = settings.closed_form
    summed = sum_pixels(samples, closed, advance)
    start = best_solution(samples, closed, summed)
    first = int(samples.teacher.background)
    begun = calibrated(start.best.planes, summed.held)
    course = _Course(begun, summed.sums, settings.rate)
    guard = _Guard(summed.held, first, begun)
    sections = []
    images, checks = FreshImages(samples), OneBehind()
    cuts = [closed.images + (settings.images - closed.images) * k // SECTIONS for k in range(SECTIONS + 1)]
    for begin, end in pairwise(cuts):
        losses = []
        for at in range(begin, end, STEP):
            stop = min(at + STEP, end)
            course.rate_at((at - cuts[0]) / (cuts[-1] - cuts[0]))
            losses.append(_step(samples, course, images, at, stop, checks))
            advance(stop - at)
        images.end()
        checks.end()
        held_loss, miou = guard.measured(course.planes)
        kept = held_loss < guard.loss  # never true of NaN
        totals = [sum(parts.result().tolist()) for parts in losses]
        loss = sum(totals) / len(totals) if totals else float("nan")
        sections.append(Section(end, loss, course.rate, held_loss, miou, kept))
        if kept:
            guard.loss, guard.miou, guard.planes = held_loss, miou, course.planes
        else:
            course.take_back(guard.planes)
    better = guard.planes is not begun and guard.miou >= start.best.miou
    planes = calibrated(guard.planes, summed.held) if better else begun
    best = replace(start.best, planes=planes, miou=guard.miou if better else start.best.miou)
    return Refined(start, best, tuple(sections), better)


class _Guard:
    """Hold the best planes so far, and measure others on the same held-out pixels."""

    def __init__(self, held: Sequence[Sampled], first: int, planes: Planes) -> None:
        self._held, self._first = held, first
        self.planes = planes
        self.loss, self.miou = self.measured(planes)

    def measured(self, planes: Planes) -> tuple[float, float]:
        """Return the cross-entropy and the mIoU of held-out pixels; NaN without any."""
        logits, labels, weight = held_logits(planes, self._held)
        each = F.cross_entropy(logits.float(), labels, reduction="none").double()
        return float((each * weight).sum() / weight.sum()), pixel_miou(planes, self._held, self._first)


class _Course:
    """Hold planes in whitened coordinates, and the optimiser that moves them.

    With planes a, b of f, those of u = C^-1 (f - m) are a C and b + a m.
    """

    def __init__(self, planes: Planes, sums: PixelSums, rate: float) -> None:
        self._present, self._mean = planes.present, sums.mean
        self._root = shrunk_root(sums.within, SHRINKAGE)  # C, (F, F)
        unit = torch.eye(len(self._root), dtype=self._root.dtype, device=self._root.device)
        self._exact = torch.linalg.solve_triangular(self._root, unit, upper=False), self._mean
        self._single = self._exact[0].float(), self._mean.float()
        self.rate = rate
        self._begin(planes)

    def _begin(self, planes: Planes) -> None:
        """Start from planes, with an optimiser that knows no gradients."""
        weight = torch.where(self._present[:, None], planes.weight, 0.0)
        bias = torch.where(self._present, planes.bias, 0.0)
        rows = torch.cat([weight @ self._root, (bias + weight @ self._mean)[:, None]], dim=1)
        self._rows = rows.float().requires_grad_()  # (M, F + 1)
        self._optimiser = torch.optim.Adam([self._rows], lr=self.rate, betas=BETAS)

    def take_back(self, planes: Planes) -> None:
        """Return to earlier planes, at half the rate."""
        self.rate /= 2.0
        self._begin(planes)

    def rate_at(self, share: float) -> None:
        """Let the rate fall linearly to zero; `share` of the pass is over."""
        self._optimiser.param_groups[0]["lr"] = self.rate * (1.0 - share)

    @property
    def planes(self) -> Planes:
        """The planes now, of the features as they are."""
        with torch.no_grad():
            weight, bias = _unwhitened(self._rows.double(), *self._exact)
        return Planes(weight, bias, self._present)

    def loss(self, maps: Sequence[Tensor], labels: Tensor) -> Tensor:
        """Return the cross-entropy of feature maps (N, c_s, h_s, w_s) and labels (N, H, W)."""
        weight, bias = _unwhitened(self._rows, *self._single)
        parts = torch.split(weight, [x.shape[1] for x in maps], dim=1)
        size: Size = (int(labels.shape[1]), int(labels.shape[2]))
        logits = linear_logits(parts, maps, size) + bias[:, None, None, None]  # (M, N, H, W)
        # A class that LDA has not seen is not learnt here either: nothing says where to begin.
        logits = logits.masked_fill(~self._present[:, None, None, None], -torch.inf).transpose(0, 1)
        known = (labels >= 0) & self._present[labels.clamp(min=0)]
        return pixel_cross_entropy(logits, torch.where(known, labels, UNKNOWN))

    def begin_step(self) -> None:
        """Forget the gradients of the last step."""
        self._optimiser.zero_grad()

    def end_step(self) -> None:
        """Move along the gradients."""
        self._optimiser.step()


def _unwhitened(rows: Tensor, inverse: Tensor, mean: Tensor) -> tuple[Tensor, Tensor]:
    """Return the planes (M, F) and (M,) of features f from rows (M, F + 1) of planes of C^-1 (f - m)."""
    weight = rows[:, :-1] @ inverse
    return weight, rows[:, -1] - weight @ mean


def _step(
    samples: LabelledSamples, course: _Course, images: FreshImages, start: int, stop: int, checks: OneBehind
) -> Pending[NDArray[np.float32]]:
    """Take one step on samples start .. stop - 1, and return the parts of their loss before it.

    Raises:
        DataError: a feature map is not finite; on an accelerator a later step or the end of `checks` says so.
    """
    losses, at = [], start
    course.begin_step()
    while at < stop:
        maps, labels, end = images.take(at, stop)
        loss = course.loss(maps, labels) * ((end - at) / (stop - start))
        losses.append(loss.detach())
        checks.add(_checked(samples, losses[-1], at, end))
        loss.backward()  # type: ignore[no-untyped-call]
        at = end
    course.end_step()
    return fetched(torch.stack(losses))


def _checked(samples: LabelledSamples, loss: Tensor, start: int, stop: int) -> Pending[None]:
    """Return the check of the loss of samples start .. stop - 1, of one batch."""
    value = fetched(loss)

    def check() -> None:
        if np.isnan(value.result()):
            maps, _, _ = FreshImages(samples).take(start, stop)
            require_finite(samples.maps, maps, range(start, stop))

    return Pending(check, at_once=value.at_once)
