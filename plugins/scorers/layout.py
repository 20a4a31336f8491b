"""Score layout as the position of the line between two walls (paper, appendix A.2 and fig. 10)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import permutations
from typing import cast

import torch
from pydantic import Field, field_validator, model_validator
from torch import Tensor

from ...core.config.reading import check_options
from ...core.config.schema import Use
from ...core.errors import ConfigError, Fault, nearest
from ...core.plugins.base import PluginConfig
from ...core.plugins.generator import Generator
from ...core.plugins.records import Concept, Rendering
from ...core.plugins.registry import registry
from ...core.plugins.scorer import Scorer, Segmenter
from ...core.runs.loading import build
from .networks.planar import LabelOrder
from .segmentation import Segmentation

TOLERANCE = 2.0  # largest distance of a row's vote from the line, in pixels at width 64
LEAST_SUPPORT = 0.15  # smallest share of rows that support an accepted line
WALL_NAME = re.compile(
    r"(left|right|front(al)?|cent(er|re)|middle|back) wall"
    r"|wall (left|right|front(al)?|cent(er|re)|middle|back)"
)
ROUNDS = 3  # of fitting a line and dropping the votes that are off it


def wall_line(labels: Tensor, walls: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Find the line between two wall classes that has the most support.

    For each ordered pair of walls (a, b), a row votes for the first column where the label changes directly
    from a to b. A straight line is fitted to the votes, starting from their median, and votes off the line
    are dropped. The support is the share of all rows whose votes remain.

    Args:
        labels: class of each pixel, (N, H, W), integers.
        walls: the classes that are walls.

    Returns:
        The middle of the line relative to the centre of the image, (x_mid - (W-1)/2) / (W/2), in [-1, 1],
        (N,), NaN where the support is below LEAST_SUPPORT; and the support in [0, 1], (N,).
    """
    n, height, width = labels.shape
    best = torch.full((n,), torch.nan, device=labels.device)
    best_support = torch.zeros(n, device=labels.device)
    # The first change in a row has the largest distance to the end. Small integers are fast on a CPU.
    distance_to_end = torch.arange(
        width - 1, 0, -1, device=labels.device, dtype=torch.int16 if width < 2**15 else torch.int32
    )
    masks = {wall: labels == wall for wall in walls}  # (N, H, W) each
    rows = torch.arange(height, device=labels.device, dtype=torch.float32).expand(n, height)
    tolerance = max(TOLERANCE, TOLERANCE * width / 64.0)
    for a, b in permutations(walls, 2):
        change = masks[a][:, :, :-1] & masks[b][:, :, 1:]  # (N, H, W-1)
        # Distance of the first change of each row, (N, H); 0 in rows without one.
        first = (change * distance_to_end).amax(dim=2)
        votes = first > 0  # (N, H)
        column = torch.where(votes, width - 0.5 - first.float(), torch.inf)  # (N, H)
        middle, support = _fit_line(rows, column, votes, tolerance)
        better = support > best_support
        best, best_support = torch.where(better, middle, best), torch.where(better, support, best_support)
    position = (best - (width - 1) / 2.0) / (width / 2.0)
    return torch.where(best_support >= LEAST_SUPPORT, position, torch.nan), best_support


def _fit_line(rows: Tensor, column: Tensor, votes: Tensor, tolerance: float) -> tuple[Tensor, Tensor]:
    """Fit column = intercept + slope * row to the votes by trimmed least squares.

    Args:
        rows: row numbers, (N, H).
        column: position of each vote, (N, H).
        votes: which rows vote, (N, H).
        tolerance: distance from the line, in pixels, beyond which a vote is dropped.

    Returns:
        The column of the line in the middle of the rows that support it, (N,), and their share of all rows,
        (N,).
    """
    height = rows.shape[1]
    ordered = torch.where(votes, column, torch.inf).sort(dim=1).values
    count = votes.sum(dim=1)
    median = ordered.gather(1, ((count - 1).clamp(min=0) // 2)[:, None])  # (N, 1)
    # A vertical edge leans by a few pixels at most, so the first tolerance is wide.
    inlier = votes & ((column - median).abs() <= 3.0 * tolerance)
    slope = torch.zeros_like(median)
    centre_row = centre_column = torch.zeros_like(median)
    for _ in range(ROUNDS):
        weight = inlier.float()
        total = weight.sum(dim=1, keepdim=True).clamp(min=1.0)
        x = torch.where(inlier, column, 0.0)
        centre_row = (weight * rows).sum(dim=1, keepdim=True) / total
        centre_column = x.sum(dim=1, keepdim=True) / total
        spread = (weight * (rows - centre_row).square()).sum(dim=1, keepdim=True)
        slope = (weight * (rows - centre_row) * (x - centre_column)).sum(dim=1, keepdim=True) / spread.clamp(
            min=1.0
        )
        inlier = votes & ((column - centre_column - slope * (rows - centre_row)).abs() <= tolerance)
    has_line = inlier.any(dim=1)
    lowest = torch.where(inlier, rows, torch.inf).amin(dim=1)
    highest = torch.where(inlier, rows, -torch.inf).amax(dim=1)
    middle_row = torch.where(has_line, (lowest + highest) / 2.0, 0.0)
    middle = centre_column[:, 0] + slope[:, 0] * (middle_row - centre_row[:, 0])
    return torch.where(has_line, middle, torch.nan), inlier.sum(dim=1) / height


def find_walls(requested: Sequence[str], classes: Sequence[str]) -> tuple[int, ...]:
    """Return the indices of the requested classes, or, if none are, of those with the name of a wall.

    Case and the characters between words are ignored.

    Raises:
        ConfigError: a name is unknown, or there are fewer than two walls.

    >>> find_walls([], ["floor", "left_wall", "Front wall"])
    (1, 2)
    >>> find_walls(["door", "left wall"], ["left_wall", "door"])
    (1, 0)
    """
    known = {_plain(name): i for i, name in enumerate(classes)}
    unknown = [name for name in requested if _plain(name) not in known]
    path = ("walls",)
    if unknown:
        faults = [
            Fault(
                path,
                f"'{name}' is not a class of the segmenter.{nearest(_plain(name), known)} "
                f"Classes: {_some(classes)}",
            )
            for name in unknown
        ]
        raise ConfigError("config of scorer 'layout'", faults)
    walls = [known[_plain(name)] for name in requested] or [
        i for name, i in known.items() if WALL_NAME.fullmatch(name)
    ]
    walls = list(dict.fromkeys(walls))
    if len(walls) < 2:
        reason = (
            "the line is where two walls meet"
            if requested
            else "no two classes of the segmenter are called left, right or front wall"
        )
        raise ConfigError(
            "config of scorer 'layout'",
            [Fault(path, f"name two or more classes: {reason}. Classes: {_some(classes)}")],
        )
    return tuple(walls)


def _plain(name: str) -> str:
    """Return a name in lower case with single spaces between words."""
    return re.sub(r"[\W_]+", " ", name).strip().lower()


def _some(names: Sequence[str]) -> str:
    """List up to 20 names."""
    return ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")


class Layout(Scorer):
    """Score the position of the line between two walls in the labels of a segmenter; NaN if there is none.

    The segmenter is a network that `segmentation` loads from a file, or any installed scorer that labels
    pixels. The pass through the network is shared with a `segmentation` scorer on the same weights.
    """

    class Config(PluginConfig):
        """Set the segmenter, and its wall classes."""

        checkpoint: str | None = Field(
            default=None,
            examples=["bundled:rooms"],
            description="a surface network, a planar network of LSUN-room, or bundled:rooms",
        )
        segmenter: Use | None = Field(
            default=None,
            description="or any scorer that labels pixels, with its config: {use: ..., with: {...}}",
        )
        walls: tuple[str, ...] = Field(
            default=(),
            description="names of the classes that are walls; "
            "default: those that the file lists, or that have the name of a wall",
        )
        label_order: LabelOrder | None = Field(
            default=None,
            description="for planar networks: order of the labels, as in the published network (default) "
            "or in LSUN's toolkit",
        )

        @field_validator("segmenter")
        @classmethod
        def _check_segmenter(cls, used: Use | None) -> Use | None:
            if used is not None:
                faults = check_options("scorer", used.use, used.options, ())
                if faults:
                    raise ValueError("; ".join(map(str, faults)))
                if not issubclass(registry().info("scorer", used.use).load(), Segmenter):
                    raise ValueError(f"scorer '{used.use}' is not a Segmenter")
            return used

        @model_validator(mode="after")
        def _check_source(self) -> Layout.Config:
            if bool(self.checkpoint) == bool(self.segmenter):
                raise ValueError("needs either `checkpoint` or `segmenter`")
            if self.label_order is not None and self.segmenter is not None:
                raise ValueError(
                    "`label_order` is for `checkpoint`; set it in the `with` of the segmenter instead"
                )
            return self

    config: Config
    concepts = (Concept("wall_line", "layout", least=0.02, threshold=0.0, may_be_undefined=True),)
    extras = ("support",)

    def __init__(self, config: Config, device: torch.device) -> None:
        super().__init__(config, device)
        declared: tuple[int, ...] = ()
        if config.segmenter is None:
            self.segmenter: Segmenter = Segmentation(
                Segmentation.Config(checkpoint=config.checkpoint, label_order=config.label_order), device
            )
            declared = getattr(self.segmenter.model, "walls", ())
        else:
            self.segmenter = cast(
                "Segmenter",
                build("scorer", config.segmenter.use, config.segmenter.options, device=str(device)),
            )
        self.segmenter.judges_range = False  # this scorer checks the same images itself
        classes = [concept.name for concept in self.segmenter.concepts]
        self.walls = declared if declared and not config.walls else find_walls(config.walls, classes)
        self.features, self.checkpoint = self.segmenter.features, self.segmenter.checkpoint
        plugin = type(self.segmenter)
        self._key = (
            "wall line",
            plugin.__module__,
            plugin.__qualname__,
            self.segmenter.config.model_dump_json(),
            self.checkpoint,
            self.walls,
        )

    def check(self, samples: int) -> None:
        """Check the number of samples as the segmenter does."""
        self.segmenter.check(samples)

    def check_generator(self, generator: Generator) -> None:
        """Check the generator as the segmenter does."""
        self.segmenter.check_generator(generator)

    def _line(self, rendering: Rendering) -> tuple[Tensor, Tensor]:
        """Return position (N,) and support (N,) of the line, computed once per rendering."""
        return rendering.once(self._key, lambda: wall_line(self.segmenter.labels(rendering), self.walls))

    def score(self, rendering: Rendering) -> Tensor:
        """Return the position of the line relative to the centre, (N, 1) in [-1, 1]; NaN if there is none."""
        return self._line(rendering)[0][:, None]

    def extra(self, rendering: Rendering) -> Tensor:
        """Return the share of rows that support the line, (N, 1)."""
        return self._line(rendering)[1][:, None]
