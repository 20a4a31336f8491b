"""Find the style channels that act on one class of pixels, by gradients of pictures (StyleSpace).

For each picture and channel u, |d picture / d s_u| is a map. Its largest values are thresholded to the area
o_c of each class c of a segmenter; with n_uc of these pixels on the class,

    overlap_uc = n_uc / o_c^d

and the class with the highest overlap is the one on which u acts in this picture. A channel is localised if
this is the same class in more than half of the pictures that show it, and in more than a quarter of them more
than any other.

Source: Wu, Lischinski and Shechtman, "StyleSpace analysis", CVPR 2021, section 4. The power d, 2 in the
authors' code, makes chance equal for large and small classes: there n_uc / o_c is o_c / pixels, and the
overlap 1 / pixels. Different here: ties at a threshold count in part; a picture with no single highest class
counts for none; classes that fewer than RARE pictures show are left out.

Shapes: n pictures, K channels, M classes, P = R x R pixels of a map.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ...core.errors import UserError
from ...core.plugins.base import owner_of
from ...core.plugins.records import Rendering
from ...core.plugins.scorer import Segmenter
from ...core.strata.composition import Pass
from ...core.strata.styles import style_strata
from .channels import Channel
from .drawn import Drawing

SHARE, AHEAD = 0.5, 0.25  # the paper's thresholds
RARE = 10  # pictures that must show a class: shares of fewer do not hold in other pictures
STEPS = 1e5  # values of a map, relative to its largest, that are told apart: equal ones differ by rounding
BYTES = 2**28  # of the maps of a batch


class Shares(NamedTuple):
    """Hold in what share of the pictures that show a class a channel acts on it, and how many these are."""

    share: NDArray[np.float64]  # (K, M)
    pictures: NDArray[np.int64]  # (M,)


class Localised(NamedTuple):
    """Represent a channel that acts on one class."""

    channel: int
    label: int
    share: float
    ahead: float  # of the next class
    pictures: int


def localised_channels(table: Shares) -> list[Localised]:
    """Return the channels that act on one class, those with the largest share first.

    >>> table = Shares(np.array([[0.9, 0.1], [0.6, 0.5]]), np.array([20, 20]))
    >>> [(one.channel, one.label) for one in localised_channels(table)]
    [(0, 0)]
    """
    share = np.where(table.pictures >= RARE, table.share, 0.0)
    found = []
    for k, row in enumerate(share):
        best = int(row.argmax())
        ahead = float(row[best] - np.delete(row, best).max(initial=0.0))
        if row[best] > SHARE and ahead > AHEAD:
            found.append(Localised(k, best, float(row[best]), ahead, int(table.pictures[best])))
    return sorted(found, key=lambda one: (-one.share, -one.ahead, one.channel))


def class_shares(
    drawing: Drawing, segmenter: Segmenter, channels: Sequence[Channel], resolution: int, discount: float
) -> Shares:
    """Count on which class each channel acts.

    Args:
        drawing: the pictures; their generator passes gradients from styles to pictures.
        segmenter: labels the pixels of M classes.
        channels: K channels.
        resolution: R.
        discount: d.

    Raises:
        UserError: the generator passes no gradients.
    """
    classes, device = len(segmenter.concepts), drawing.generator.device
    wins = torch.zeros(len(channels), classes, dtype=torch.long, device=device)
    shown = torch.zeros(classes, dtype=torch.long, device=device)
    done = 0
    most = max(1, BYTES // (4 * len(channels) * resolution**2))
    for rendered, codes in drawing.batches(most, segmenter.features):
        with torch.no_grad():
            areas = class_areas(segmenter, rendered.rendering, resolution)  # (n, P)
        maps = gradient_maps(drawing, rendered, codes, channels, resolution, done)  # (n, K, P)
        for picture, labels in zip(maps, areas, strict=True):
            shown += torch.bincount(labels, minlength=classes) > 0
            winner = acted_on(picture, labels, classes, discount)  # (K,)
            wins += F.one_hot(winner + 1, classes + 1)[:, 1:]
        done += len(codes)
    counts = shown.cpu().numpy()
    return Shares(wins.cpu().numpy() / np.maximum(counts, 1), counts)


def class_areas(segmenter: Segmenter, rendering: Rendering, resolution: int) -> Tensor:
    """Return the class that most pixels of each cell of a map have, (n, P)."""
    labels = segmenter.labels(rendering)  # (n, H, W)
    shares = [
        F.adaptive_avg_pool2d((labels == c).float()[:, None], resolution).flatten(1)
        for c in range(len(segmenter.concepts))
    ]
    return torch.stack(shares).max(dim=0).indices


def gradient_maps(
    drawing: Drawing,
    rendered: Pass,
    codes: Tensor,
    channels: Sequence[Channel],
    resolution: int,
    done: int = 0,
) -> Tensor:
    """Return |d picture / d s_u|, averaged over colours, at the resolution of a map: (n, K, P).

    One backward pass for each pixel and colour gives the gradients of all channels and pictures.

    Args:
        drawing: the generator, and where to tell the share of the work.
        rendered: the pictures.
        codes: their codes (n, L, D).
        channels: K channels.
        resolution: R.
        done: pictures before these.

    Raises:
        UserError: the generator passes no gradients.
    """
    generator = drawing.generator
    wanted = {channel.stratum for channel in channels}
    n, device = len(codes), generator.device
    strata = [(s, width) for s, width in style_strata(generator) if s in wanted]
    first = {s: sum(width for _, width in strata[:i]) for i, (s, _) in enumerate(strata)}
    columns = torch.tensor([first[c.stratum] + c.number for c in channels], device=device)
    maps = torch.zeros(n, len(channels), resolution**2, device=device)
    with torch.inference_mode(False), torch.enable_grad():
        moves = {s: torch.zeros(n, width, device=device, requires_grad=True) for s, width in strata}
        layers = sorted({channel.layer for channel in channels})
        images = rendered.edited(codes, layers, moves).images  # (n, 3, H, W)
        if not images.requires_grad:
            raise UserError(
                f"{owner_of(generator)} passes no gradients from its styles to its pictures, and the classes "
                "on which channels act are found by them; rank channels by exemplars (without segmenter), or "
                "let the strata compute in torch without no_grad(), inference_mode() or detach()"
            )
        small = F.adaptive_avg_pool2d(images, resolution).flatten(2)  # (n, 3, P)
        for pixel in range(resolution**2):
            for colour in range(small.shape[1]):
                # Each picture depends on its own styles alone, so the gradient of the sum has them all.
                gradients = torch.autograd.grad(
                    small[:, colour, pixel].sum(), list(moves.values()), retain_graph=True, allow_unused=True
                )
                whole = torch.cat(
                    [
                        torch.zeros_like(move) if gradient is None else gradient
                        for gradient, move in zip(gradients, moves.values(), strict=True)
                    ],
                    dim=1,
                )
                maps[:, :, pixel] += whole[:, columns].abs() / small.shape[1]
            drawing.on_share((done + n * (pixel + 1) / resolution**2) / drawing.pictures)
    return maps


def acted_on(maps: Tensor, labels: Tensor, classes: int, discount: float) -> Tensor:
    """Return the class on which each channel acts in one picture, (K,); -1 if it is none alone.

    Args:
        maps: sizes of gradients (K, P).
        labels: class of each pixel (P,).
        classes: M.
        discount: d.

    >>> maps = torch.tensor([[3.0, 2.0, 0.0, 0.0], [1.0, 1.0, 1.0, 1.0]])
    >>> acted_on(maps, torch.tensor([1, 1, 0, 0]), classes=2, discount=2.0).tolist()
    [1, -1]
    """
    largest = maps.amax(dim=1, keepdim=True)
    levels = (maps / largest.clamp(min=torch.finfo(maps.dtype).tiny) * STEPS).round()  # (K, P)
    ordered = levels.sort(dim=1, descending=True).values
    overlaps = torch.full((len(maps), classes), -1.0, device=maps.device)
    for c, area in enumerate(torch.bincount(labels).tolist()):
        if not area:
            continue
        on_class = (labels == c).to(levels.dtype)  # (P,)
        threshold = ordered[:, area - 1 : area]  # (K, 1)
        above, at = (levels > threshold).to(levels.dtype), (levels == threshold).to(levels.dtype)
        # Of the pixels at the threshold, so many count that the area is that of the class.
        part = (area - above.sum(dim=1)) / at.sum(dim=1)  # (K,)
        overlaps[:, c] = (above @ on_class + part * (at @ on_class)) / area**discount
    best = overlaps.topk(min(2, classes), dim=1)
    alone = torch.ones_like(best.indices[:, 0], dtype=torch.bool)
    if classes > 1:
        alone = best.values[:, 0] > best.values[:, 1] * (1.0 + 1e-6) + 1e-12
    moving = ordered[:, 0] > ordered[:, -1]  # the same gradient everywhere is on no class
    return torch.where(alone & moving, best.indices[:, 0], -1)
