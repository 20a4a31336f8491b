"""Show of chosen units the pictures in which they are highest, with the region above the level outlined."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from ..figures.outlines import outlined
from ..figures.pictures import Pixels, tile, to_pixels
from ..figures.sheets import enlarged as enlarged_pictures
from ..runs.progress import Progress
from ..semantics.nearest import nearest_planes
from ..semantics.samples import LabelledSamples
from .counting import Batch, batch_at, enlarged
from .units import MEASURING, Units

SHOWN = 6  # pictures of each unit
SIDE = 96  # pixels of the longer side of a picture, at least


def top_pictures(units: Units, row: int, count: int = SHOWN) -> list[int]:
    """Return the pictures, of those that measure, in which a unit is highest; highest first."""
    return [int(i) for i in np.argsort(-units.highest[:, row], kind="stable")[:count]]


@torch.no_grad()
def strips(
    samples: LabelledSamples, units: Units, rows: Sequence[int], progress: Progress
) -> dict[int, Pixels]:
    """Return a strip (H, W, 3) of the top pictures for each of some units, by the unit's number.

    Args:
        samples: samples that were measured; the pictures are rendered again.
        units: what was measured of all units.
        rows: numbers of the units, of all strata.
        progress: where progress is shown.
    """
    wanted = {row: top_pictures(units, row) for row in rows}
    starts = sorted({i - i % samples.batch for tops in wanted.values() for i in tops})
    frames: dict[tuple[int, int], Pixels] = {}
    with progress.stage("pictures", total=len(starts)) as bar:
        for start in starts:
            drawn = batch_at(samples, start, len(units.highest), MEASURING)
            drawn.check.result()
            for row, tops in wanted.items():
                here = [i for i in tops if start <= i < start + samples.batch]
                for i, frame in zip(here, _frames(drawn, units, row, here), strict=True):
                    frames[row, i] = frame
            bar(1)
    return {row: tile(np.stack([[frames[row, i] for i in tops]]), gap=4) for row, tops in wanted.items()}


def _frames(drawn: Batch, units: Units, row: int, pictures: Sequence[int]) -> Pixels:
    """Return some pictures of a batch, with the region outlined in which a unit is above its level."""
    stratum = int(units.stratum[row])
    maps = drawn.maps[[m.stratum for m in units.maps].index(stratum)]
    at = [i - drawn.start for i in pictures]
    own = maps[at][:, [int(units.unit[row])]]
    on = (enlarged(own, drawn.size)[:, 0] > units.level[row]).view(-1, *drawn.size)
    shown = enlarged_pictures(to_pixels(drawn.images[at]), SIDE)
    regions = nearest_planes(on, (shown.shape[1], shown.shape[2]))
    return outlined(shown, regions.cpu().numpy())
