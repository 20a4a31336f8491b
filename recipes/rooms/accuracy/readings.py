"""Score rendered rooms, and keep their ground truth.

Two changes imitate how a generator's pictures differ from renders: the augmentation of the training, and
one that no training picture had.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, cast

import ganstrata
import numpy as np
import torch
import torch.nn.functional as F
from ganstrata.core.plugins.scorer import Scorer
from ganstrata.plugins.scorers.hue import hue_saturation_value
from ganstrata.plugins.scorers.layout import wall_line
from numpy.typing import NDArray
from torch import Tensor

from ..factors import LABELS
from ..train_scorers import WALLS, Rooms, augment

BLOCK = 250
CONDITIONS = {"rendered": "as rendered", "bent": "bent, soft, grained", "coarse": "shrunk to 16 px"}

Array = NDArray[np.float64]


class Readings(NamedTuple):
    """Hold the answers of the scorers on rooms, and the ground truth."""

    category: NDArray[np.int64]  # (N,)
    truth: Array  # amounts of the attributes (N, B)
    probability: dict[str, Array]  # by condition (N, A)
    margin: dict[str, Array]  # by condition (N, B)
    line: Array  # (N,), NaN where there is none
    support: Array  # (N,), of the scorer's line
    true_line: Array  # (N,), of the true surface map
    true_support: Array  # (N,)
    shared: Array  # pixels on which map and scorer agree (N, M)
    labelled: Array  # pixels that the scorer gives each class (N, M)
    real: Array  # pixels of each class (N, M)
    hue: Array  # (N, 14)
    wall_hue: Array  # mean hue of the wall's pixels in degrees (N,), NaN where none is coloured
    factors: dict[str, Array]


def conditions(x: Tensor) -> dict[str, Tensor]:
    """Return pictures (N, 3, 64, 64) as rendered, augmented as in training, and shrunk to 16 px."""
    coarse = F.interpolate(
        F.avg_pool2d(x, x.shape[-1] // 16), size=x.shape[-2:], mode="bilinear", align_corners=False
    )
    return {"rendered": x, "bent": augment(x), "coarse": coarse}


@torch.inference_mode()
def read(
    rooms: Rooms,
    scorers: dict[str, Scorer],
    *,
    seed: int,
    changes: Callable[[Tensor], dict[str, Tensor]] = conditions,
) -> Readings:
    """Read all rooms with all scorers.

    Args:
        rooms: pictures with their ground truth.
        scorers: by name.
        seed: of the augmentation.
        changes: returns the pictures under each condition, by the condition's name.
    """
    torch.manual_seed(seed)
    parts_of: dict[str, list[Tensor]] = {}

    def keep(name: str, value: Tensor) -> None:
        parts_of.setdefault(name, []).append(value)

    layout, segmentation = (cast("Any", scorers[name]) for name in ("layout", "segmentation"))
    walls, m = torch.tensor(WALLS), len(LABELS)
    for block in np.split(np.arange(len(rooms.images)), range(BLOCK, len(rooms.images), BLOCK)):
        x, maps = rooms.pictures(block), rooms.maps(block)
        for name, changed in changes(x).items():
            rendering = ganstrata.Rendering(changed)
            keep(f"probability {name}", scorers["category"].score(rendering))
            keep(f"margin {name}", scorers["attribute"].score(rendering))
        rendering = ganstrata.Rendering(x)
        keep("truth", rooms.attributes(block, maps))
        keep("line", layout.score(rendering)[:, 0]), keep("support", layout.extra(rendering)[:, 0])
        for name, value in zip(("true_line", "true_support"), wall_line(maps, WALLS), strict=True):
            keep(name, value)
        labels = segmentation.labels(rendering)
        one = torch.arange(len(block))[:, None] * m
        every = torch.ones_like(maps).double()
        for name, classes, weight in (
            ("shared", maps, (maps == labels).double()),
            ("labelled", labels, every),
            ("real", maps, every),
        ):
            keep(
                name,
                torch.bincount((one + classes.flatten(1)).flatten(), weight.flatten(), len(block) * m).view(
                    -1, m
                ),
            )
        keep("hue", scorers["hue"].score(rendering))
        keep("wall_hue", _mean_hue(x, torch.isin(maps, walls)))
    table = {name: torch.cat(parts).double().numpy() for name, parts in parts_of.items()}
    by_condition = {
        what: {
            name.removeprefix(f"{what} "): table.pop(name)
            for name in list(table)
            if name.startswith(f"{what} ")
        }
        for what in ("probability", "margin")
    }
    factors = {name: np.asarray(values, np.float64) for name, values in rooms.factors.items()}
    return Readings(category=rooms.category, factors=factors, **by_condition, **table)  # type: ignore[arg-type]


def _mean_hue(x: Tensor, mask: Tensor) -> Tensor:
    """Average the hue of the masked pixels, weighted by chroma.

    Returns:
        The circular mean in degrees (N,), NaN where the pixels have no colour.
    """
    hue, chroma, _, _ = hue_saturation_value(x)
    weight, angle = (chroma * mask).double(), hue.double().deg2rad()
    sine, cosine = (weight * angle.sin()).sum((1, 2)), (weight * angle.cos()).sum((1, 2))
    return torch.where(weight.sum((1, 2)) > 0.0, torch.rad2deg(torch.atan2(sine, cosine)) % 360.0, torch.nan)
