"""Edit pictures by painting on their segmentation (semantic image editing).

The target is the current segmentation with strokes painted over it. Codes move until the segmentation of
their picture agrees with the target:

    loss = mean cross-entropy + e (mean cross-entropy of painted pixels) + a sum (c - c0)^2 + b sum c^2 / R

with variables c of R rows (code_spaces), their start c0, and a = b = 1e-3. With e = 0 this is the loss of the
authors' code. A small stroke then hardly counts, as its pixels are few; so e > 0 is possible. Appendix G of
the paper exchanges the loss with that of editing in colour space, which is

    loss = mean over unpainted pixels of d + mean over painted pixels of d + the same penalties

with d the squared difference of colours, summed over red, green and blue in [-1, 1].

Source: Xu & Zheng, "Linear Semantics in Generative Adversarial Networks", CVPR 2021, algorithm 2.
Shapes: N pictures, M classes, H x W pixels of labels, L layers, D code size.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ...device import sent
from ...errors import DataError, ShapeError, UserError
from ...plugins.records import Rendering
from ...strata.code_search import Found, Objective, Renderer, Search, Watch, search_codes
from ..annotation.masks import Labels, painted_over
from ..heads import Size
from ..predictors import Predictor
from ..teacher import UNKNOWN


@dataclass(frozen=True)
class Matched:
    """Hold a picture whose codes moved until its segmentation is the painted one.

    Attributes:
        found: codes and renderings before and after.
        target: wanted labels, (1, H, W).
        painted: pixels that were painted with another class than theirs, (1, H, W), bool.
    """

    found: Found
    target: Tensor
    painted: Tensor


def semantic_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Return the mean cross-entropy (N,) of logits (N, M, H, W) over known pixels of a target (N, H, W)."""
    known = (target != UNKNOWN).flatten(1).sum(dim=1)
    each = F.cross_entropy(logits, target, ignore_index=UNKNOWN, reduction="none")
    return each.flatten(1).sum(dim=1) / known.clamp(min=1)


def colour_loss(images: Tensor, target: Tensor, painted: Tensor) -> Tensor:
    """Return the loss (N,) of colours outside of the painted pixels plus that within them.

    Args:
        images: pictures (N, 3, H, W) in [0, 1].
        target: wanted pictures (N, 3, H, W) in [0, 1].
        painted: painted pixels, (N, H, W), bool.
    """
    d = 4.0 * (target - images).square().sum(dim=1)  # (N, H, W): 4, because the paper's colours span [-1, 1]
    inside = painted.to(d)
    total = torch.zeros_like(d[:, 0, 0])
    for weight in (1.0 - inside, inside):
        total = total + (weight * d).flatten(1).sum(1) / weight.flatten(1).sum(1).clamp(min=1.0)
    return total


def painted_target(current: NDArray[np.integer], strokes: Labels) -> tuple[Tensor, Tensor]:
    """Return the wanted labels (1, H, W), and which pixels are painted with another class, (1, H, W), bool.

    Args:
        current: labels (H, W) of the picture now.
        strokes: painted classes (H, W), UNKNOWN where nothing is painted.
    """
    new = (strokes != UNKNOWN) & (strokes != current)
    return torch.from_numpy(painted_over(current, strokes))[None], torch.from_numpy(new)[None]


def match_strokes(
    renderer: Renderer,
    start: Tensor,
    predictor: Predictor,
    strokes: Labels,
    size: Size,
    *,
    search: Search,
    emphasis: float,
    where: str,
    watch: Watch | None = None,
) -> Matched:
    """Move the codes of one picture until its segmentation is that with strokes painted over it.

    Args:
        renderer: renders the picture, with the feature maps that the predictor reads.
        start: its variables, (1, R, V).
        predictor: segments it, with gradients.
        strokes: painted classes (H, W), UNKNOWN where nothing is painted.
        size: height and width of the labels.
        search: steps, learning rate and penalties.
        emphasis: weight of the painted pixels beside that of all pixels.
        where: where the strokes come from, for messages.
        watch: shown the picture before every step and after the last; says whether the search goes on.

    Raises:
        UserError: every painted pixel has its class already, or the predictor gives no gradients.
        DataError: the loss is not finite.
    """
    with torch.no_grad():
        current = predictor.labels(renderer.render(renderer.space.codes(start)), size)[0]
    target, painted = painted_target(current.cpu().numpy(), strokes)
    if not bool(painted.any()):
        raise UserError(f"{where}: every painted pixel has its class already; paint another class")
    target, painted = (sent(x, current.device) for x in (target, painted))
    objective = by_labels(predictor, target, painted, emphasis)
    return Matched(search_codes(renderer, start, objective, search, watch=watch), target, painted)


def by_labels(
    predictor: Predictor, target: Tensor, painted: Tensor | None = None, emphasis: float = 0.0
) -> Objective:
    """Return the objective of a segmentation.

    Args:
        predictor: segments pictures, with gradients.
        target: labels (N, H, W), UNKNOWN where anything is right.
        painted: painted pixels (N, H, W), bool; only with an emphasis.
        emphasis: weight e of the mean over painted pixels, beside that over all.

    Raises:
        ShapeError: a label is not one of the predictor's classes.
        DataError: no pixel of a target is known.
    """
    known = (target != UNKNOWN).reshape(len(target), -1).any(dim=1).all()
    # All that is asked of the values, in one copy: an accelerator is waited for once.
    least, most, wanted = torch.stack([*torch.aminmax(target), known.to(target.dtype)]).tolist()
    if target.ndim != 3 or most >= len(predictor.classes) or least < UNKNOWN:
        raise ShapeError(
            f"a target of shape {tuple(target.shape)} with labels from {least} to {most} does not fit; "
            f"(N, H, W) from 0 to {len(predictor.classes) - 1} was expected"
        )
    if not wanted:
        raise DataError("every pixel of the target is unknown, so nothing is wanted of the picture")
    size = (target.shape[1], target.shape[2])
    if painted is None or emphasis == 0.0:
        return lambda rendering: semantic_loss(predictor.logits(rendering, size), target)
    strokes = torch.where(painted, target, torch.full_like(target, UNKNOWN))

    def emphasised(rendering: Rendering) -> Tensor:
        logits = predictor.logits(rendering, size)
        return semantic_loss(logits, target) + emphasis * semantic_loss(logits, strokes)

    return emphasised


def by_colours(target: Tensor, painted: Tensor) -> Objective:
    """Return the objective of editing in colour space; see `colour_loss`."""
    return lambda rendering: colour_loss(rendering.images, target, painted)
