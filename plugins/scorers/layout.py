"""Layout as one number: where the line between two walls stands (paper, appendix A.2 and fig. 10)."""

from __future__ import annotations

from itertools import permutations

import torch
from pydantic import Field
from torch import Tensor

from ...core.checkpoints import locate, read_checkpoint
from ...core.contracts import PluginConfig, Scorer
from ...core.records import Concept, Rendering
from .surfaces import load_surfaces

TOLERANCE = 2.0  # pixels at width 64 that a row may lie off the line; grows with the width
LEAST_SUPPORT = 0.15  # share of rows below which the line is not believed
ROUNDS = 3  # of fitting a line and dropping the rows that lie off it


def wall_line(labels: Tensor, walls: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """The best supported line between two wall classes.

    For each ordered pair of walls, a row speaks for a line at the column where the label changes
    from one directly to the other. A straight line is fitted to these rows, starting from their
    median, and rows off the line are dropped. Support is the share of all rows that are left.

    Args:
        labels: class of each pixel, (N, H, W), integers.
        walls: the classes that are walls.

    Returns:
        The line's middle relative to the centre of the picture, (x_mid - (W-1)/2) / (W/2), in
        [-1, 1] (N,), NaN where the support is too small; and the support in [0, 1] (N,).
    """
    n, height, width = labels.shape
    best = torch.full((n,), torch.nan, device=labels.device)
    most = torch.zeros(n, device=labels.device)
    # How far the last column lies ahead: the larger, the earlier. Small integers, of which a processor takes many at once.
    ahead = torch.arange(width - 1, 0, -1, device=labels.device, dtype=torch.int16 if width < 2**15 else torch.int32)
    where = {wall: labels == wall for wall in walls}
    rows = torch.arange(height, device=labels.device, dtype=torch.float32).expand(n, height)
    tolerance = max(TOLERANCE, TOLERANCE * width / 64.0)
    for a, b in permutations(walls, 2):
        change = where[a][:, :, :-1] & where[b][:, :, 1:]  # (N, H, W-1)
        first = (change * ahead).amax(dim=2)  # the first change of each row, (N, H); 0 where there is none
        speaks = first > 0
        place = torch.where(speaks, width - 0.5 - first.float(), torch.inf)
        middle, support = _fit(rows, place, speaks, tolerance)
        better = support > most
        best, most = torch.where(better, middle, best), torch.where(better, support, most)
    position = (best - (width - 1) / 2.0) / (width / 2.0)
    return torch.where(most >= LEAST_SUPPORT, position, torch.nan), most


def _fit(rows: Tensor, place: Tensor, speaks: Tensor, tolerance: float) -> tuple[Tensor, Tensor]:
    """A robust line x = intercept + slope * row through places (N, H): its middle (N,) and support (N,)."""
    height = rows.shape[1]
    ordered = torch.where(speaks, place, torch.inf).sort(dim=1).values
    count = speaks.sum(dim=1)
    median = ordered.gather(1, ((count - 1).clamp(min=0) // 2)[:, None])  # (N, 1)
    # A vertical edge leans by a few pixels at most: the first look is wide.
    inlier = speaks & ((place - median).abs() <= 3.0 * tolerance)
    slope = torch.zeros_like(median)
    centre_row = centre_place = torch.zeros_like(median)
    for _ in range(ROUNDS):
        weight = inlier.float()
        total = weight.sum(dim=1, keepdim=True).clamp(min=1.0)
        known = torch.where(inlier, place, 0.0)
        centre_row = (weight * rows).sum(dim=1, keepdim=True) / total
        centre_place = known.sum(dim=1, keepdim=True) / total
        spread = (weight * (rows - centre_row).square()).sum(dim=1, keepdim=True)
        slope = (weight * (rows - centre_row) * (known - centre_place)).sum(dim=1, keepdim=True) / spread.clamp(min=1.0)
        inlier = speaks & ((place - centre_place - slope * (rows - centre_row)).abs() <= tolerance)
    found = inlier.any(dim=1)
    lowest = torch.where(inlier, rows, torch.inf).amin(dim=1)
    highest = torch.where(inlier, rows, -torch.inf).amax(dim=1)
    middle_row = torch.where(found, (lowest + highest) / 2.0, 0.0)
    middle = centre_place[:, 0] + slope[:, 0] * (middle_row - centre_row[:, 0])
    return torch.where(found, middle, torch.nan), inlier.sum(dim=1) / height


class Layout(Scorer):
    """Reads the line between two walls off a surface map; undefined where no line is seen."""

    class Config(PluginConfig):
        """Which surface network."""

        checkpoint: str = Field(description="a surface network, or bundled:rooms")

    config: Config
    concepts = (Concept("wall_line", "layout", least=0.02, threshold=0.0, may_be_undefined=True),)
    extras = ("support",)

    def __init__(self, config: Config, device: torch.device) -> None:
        super().__init__(config, device)
        self.model = load_surfaces(read_checkpoint(locate(config.checkpoint, "surfaces")), device)
        self.checkpoint = self.model.sha256

    def _line(self, rendering: Rendering) -> tuple[Tensor, Tensor]:
        key = ("wall line", self.checkpoint)
        return rendering.once(key, lambda: wall_line(self.model.labels(rendering), self.model.walls))

    def score(self, rendering: Rendering) -> Tensor:
        """Position of the line relative to the centre, in [-1, 1] (N, 1); NaN where there is none."""
        return self._line(rendering)[0][:, None]

    def extra(self, rendering: Rendering) -> Tensor:
        """Share of rows that speak for the line (N, 1)."""
        return self._line(rendering)[1][:, None]
