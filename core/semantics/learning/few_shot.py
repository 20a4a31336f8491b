"""Train linear extractors on a few annotated images.

Where the generator has no fresh noise, the feature maps of an image never change. They are computed once and
kept side by side per size, so that a step is a few products of matrices.

Source: Xu & Zheng, "Linear Semantics in Generative Adversarial Networks", CVPR 2021, section 3.3, table 2 and
appendix D.
Shapes: N images, M classes, c_s channels and h_s x w_s pixels of the map of stratum s, H x W of the labels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ...conformance.random_state import seeded
from ...device import sent
from ...errors import DataError
from ...plugins.pending import OneBehind, Pending
from ..agreement import pixels_of_classes
from ..heads import LSE, Size, enlarged_sum
from ..teacher import UNKNOWN
from .losses import pixel_cross_entropy
from .training import BETAS

SLOWER = 0.4  # share of the steps after which the learning rate is a tenth, as in full training
IMAGE_STEPS, MOST_STEPS = 8000, 2000


def steps_for(shots: int) -> int:
    """Return the number of steps for N annotated images, each step on all of them.

    The paper takes 2000, 2000, 1000 and 500 steps for 1, 4, 8 and 16 images. That is 8000 / N, at most 2000.

    >>> [steps_for(shots) for shots in (1, 2, 4, 8, 16, 32)]
    [2000, 2000, 2000, 1000, 500, 250]
    """
    return max(1, min(MOST_STEPS, IMAGE_STEPS // shots))


class KeptMaps:
    """Keep the feature maps of N images for many steps of an LSE.

    Args:
        maps: feature maps (N, c_s, h_s, w_s).
        size: height and width of the labels.
    """

    def __init__(self, maps: Sequence[Tensor], size: Size) -> None:
        self.size, self.images = size, maps[0].shape[0]
        self._groups: list[tuple[int, Tensor, Size]] = []  # strata, maps (C, N h w), h and w
        for side, same in groupby(maps, key=lambda x: (int(x.shape[-2]), int(x.shape[-1]))):
            alike = list(same)
            flat = torch.cat(alike, dim=1).transpose(0, 1).flatten(1).contiguous()
            self._groups.append((len(alike), flat, side))

    def logits(self, head: LSE) -> Tensor:
        """Return the logits (M, N H W) of an LSE with equal layer weights."""
        parameters, planes = list(head.T), []
        for count, flat, (h, w) in self._groups:
            weight = torch.cat(parameters[:count], dim=1)  # (M, C)
            del parameters[:count]
            planes.append((weight @ flat).view(-1, self.images, h, w))  # (M, N, h, w)
        logits = enlarged_sum(planes, self.size).flatten(1)
        return logits if head.bias is None else logits + head.bias[:, None]


@dataclass(frozen=True)
class FewShotSettings:
    """Set a training on a few images.

    Attributes:
        steps: steps on all images; None for those of the paper.
        learning_rate: of Adam, a tenth of it after 40 % of the steps.
        seed: seed of the first parameters.
    """

    steps: int | None = None
    learning_rate: float = 1e-3
    seed: int = 0


def train_few_shot(
    maps: Sequence[Tensor],
    labels: Tensor,
    classes: int,
    settings: FewShotSettings | None = None,
    *,
    weight: Tensor | None = None,
    redraw: Callable[[int], tuple[Sequence[Tensor], Pending[None]]] | None = None,
    advance: Callable[[int], object] = lambda count: None,
) -> LSE:
    """Train an LSE without layer weights on N annotated images, all of them in every step.

    Args:
        maps: feature maps (N, c_s, h_s, w_s).
        labels: (N, H, W), int64, UNKNOWN where nothing is annotated; these pixels do not count.
        classes: number M of classes.
        settings: steps, learning rate and seed.
        weight: how much each image counts, (N,); None for 1 each.
        redraw: gives the feature maps of a step with fresh noise, by the number of the step, and the check of
            them, which is made when the next step has begun; None if they are always the same.
        advance: called with 1 after every step.

    Raises:
        DataError: no pixel is annotated, or all are of one class.
    """
    settings = settings or FewShotSettings()
    check_annotated(labels, classes)
    with seeded(settings.seed):
        head = LSE([x.shape[1] for x in maps], classes).to(maps[0].device)
    optimiser = torch.optim.Adam(head.parameters(), lr=settings.learning_rate, betas=BETAS)
    size = int(labels.shape[1]), int(labels.shape[2])
    kept = KeptMaps(maps, size) if redraw is None else None
    counted = _weights(labels, weight)
    target = labels.flatten()
    steps = settings.steps or steps_for(labels.shape[0])
    checks = OneBehind()
    for step in range(steps):
        if step == int(steps * SLOWER):
            optimiser.param_groups[0]["lr"] *= 0.1
        optimiser.zero_grad()
        if kept is not None:
            logits = kept.logits(head)
        else:
            assert redraw is not None
            maps, check = redraw(step)
            checks.add(check)
            logits = head(maps, size).transpose(0, 1).flatten(1)
        loss = _loss(logits, target, counted)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        advance(1)
    checks.end()
    return head.requires_grad_(False)


def _weights(labels: Tensor, weight: Tensor | None) -> Tensor | None:
    """Return the weight of each pixel (N H W), which add up to 1, or None if all known pixels are alike."""
    if weight is None:
        return None
    on_device = weight if weight.device == labels.device else sent(weight, labels.device)
    pixels = (labels != UNKNOWN) * on_device[:, None, None]
    return (pixels / pixels.sum()).flatten()


def _loss(logits: Tensor, target: Tensor, counted: Tensor | None) -> Tensor:
    """Return the mean cross-entropy of logits (M, P) of P pixels with their labels (P,)."""
    if counted is None:
        return pixel_cross_entropy(logits[None], target[None])
    each = F.cross_entropy(logits[None], target[None], ignore_index=UNKNOWN, reduction="none")[0]
    return (each * counted).sum()


def check_annotated(labels: Tensor, classes: int) -> None:
    """Refuse annotations from which nothing can be learnt.

    Raises:
        DataError: no pixel is annotated, or all are of one class.
    """
    present = np.flatnonzero(pixels_of_classes(labels.flatten()[None, None], classes))
    if len(present) == 0:
        raise DataError(
            "no pixel of the annotated images has a label; paint on at least one of them, or annotate more"
        )
    if len(present) < 2:
        raise DataError(
            f"all annotated pixels are of one class (number {present[0]} of 0 to {classes - 1}), so there "
            "is nothing to tell apart; annotate pixels of a second class"
        )
