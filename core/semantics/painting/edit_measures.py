"""Measure an edit by painting: what became of the painted pixels, and what changed elsewhere."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from torch import Tensor

from ...decimals import percent
from ...errors import ShapeError
from ...storage.json_values import JsonObject
from ..nearest import nearest_planes


@dataclass(frozen=True)
class LabelChange:
    """Hold how the labels of one segmentation changed in an edit; NaN for a share of no pixels.

    Attributes:
        wanted_before: share of painted pixels that had the wanted class.
        wanted_after: share of painted pixels that have it now.
        elsewhere: share of the other pixels whose label changed.
    """

    wanted_before: float
    wanted_after: float
    elsewhere: float

    @property
    def reached_nothing(self) -> bool:
        """Whether less than 1 % of the painted pixels became what was painted."""
        return self.wanted_after - self.wanted_before < 0.01

    def as_data(self) -> JsonObject:
        """Return plain data; None for NaN."""
        return {key: None if value != value else value for key, value in asdict(self).items()}

    def in_words(self) -> str:
        """Return the second half of a sentence that says it, without shares of no pixels.

        >>> LabelChange(0.25, 1.0, float("nan")).in_words()
        '100 % of the painted pixels have the wanted class (before: 25.0 %); there are no others'
        """
        painted = self.wanted_after == self.wanted_after
        others = (
            "there are no others" if self.elsewhere != self.elsewhere
            else f"of the others, {percent(self.elsewhere)} changed theirs" if painted
            else f"{percent(self.elsewhere)} of the other pixels changed their class"
        )  # fmt: skip
        if not painted:
            return others
        return (
            f"{percent(self.wanted_after)} of the painted pixels have the wanted class "
            f"(before: {percent(self.wanted_before)}); {others}"
        )


@dataclass(frozen=True)
class ColourChange:
    """Hold the mean absolute difference of colours, in percent of their range; NaN for no pixels.

    Attributes:
        painted: within the painted pixels.
        elsewhere: in all others.
    """

    painted: float
    elsewhere: float

    def as_data(self) -> JsonObject:
        """Return plain data; None for NaN."""
        return {key: None if value != value else value for key, value in asdict(self).items()}


def label_change(before: Tensor, after: Tensor, painted: Tensor, wanted: Tensor | None = None) -> LabelChange:
    """Compare labels before and after an edit.

    Args:
        before: labels (..., H, W).
        after: labels (..., H, W).
        painted: painted pixels (..., H, W), bool.
        wanted: classes that painted pixels shall have (..., H, W); None if colours were painted.

    Raises:
        ShapeError: the shapes differ.
    """
    given = [before, after, painted, painted if wanted is None else wanted]
    if len({x.shape for x in given}) > 1:
        shapes = ", ".join(str(tuple(x.shape)) for x in given)
        raise ShapeError(f"labels of shapes {shapes} cannot be compared; they must be the same")
    had, have = (
        float("nan") if wanted is None else _mean((labels == wanted)[painted]) for labels in (before, after)
    )
    return LabelChange(had, have, _mean((before != after)[~painted]))


def colour_change(before: Tensor, after: Tensor, painted: Tensor) -> ColourChange:
    """Compare pictures before and after an edit.

    Args:
        before: pictures (N, 3, H, W) in [0, 1]; what lies beyond counts as its end.
        after: the same.
        painted: painted pixels (N, h, w), bool, at any resolution.
    """
    difference = 100.0 * (after.clamp(0.0, 1.0) - before.clamp(0.0, 1.0)).abs().mean(dim=1)  # (N, H, W)
    inside = nearest_planes(painted, (difference.shape[1], difference.shape[2]))
    return ColourChange(_mean(difference[inside]), _mean(difference[~inside]))


def _mean(values: Tensor) -> float:
    """Return the mean of values, NaN if there are none."""
    return float(values.double().mean()) if values.numel() else float("nan")
