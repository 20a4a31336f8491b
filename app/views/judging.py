"""Let a segmentation that steered no search say what the search has reached.

A search ends with a picture in which the segmentation that steered it sees what was painted. It may be the
only one that does: codes can come there by whatever this one mistakes for a window. So another judges it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ...core.decimals import percent
from ...core.plugins.records import Rendering
from ...core.semantics.painting.edit_measures import label_change
from ...core.strata.code_search import Renderer
from ..workspace import Workspace
from .segmenting import LEARNT, Reader, teachers


@dataclass(frozen=True)
class Judge:
    """Judge pictures that another segmentation has steered.

    Attributes:
        words: as the page calls it, at the beginning of a sentence.
        reader: what it sees.
    """

    words: str
    reader: Reader

    def can_read(self, rendering: Rendering) -> bool:
        """Return whether a rendering has the feature maps that it needs, if it needs any."""
        return set(self.reader.predictor.strata) <= set(rendering.features)

    @torch.no_grad()
    def of_edit(
        self, renderer: Renderer, before: Tensor, after: Tensor, painted: Tensor, wanted: Tensor
    ) -> str:
        """Say how much of what was painted it sees in the picture; empty if nothing was painted.

        Args:
            renderer: of the search.
            before: codes (1, L, D).
            after: the same.
            painted: painted pixels (1, H, W).
            wanted: their classes (1, H, W).
        """
        own, predictor = replace(renderer, strata=self.reader.predictor.strata), self.reader.predictor
        size = (int(painted.shape[-2]), int(painted.shape[-1]))
        had, has = (predictor.labels(own.render(codes), size) for codes in (before, after))
        change = label_change(had, has, painted, wanted)
        if change.wanted_after != change.wanted_after:
            return ""
        return (
            f"{self.words}, which did not steer the search, sees the wanted class in "
            f"{percent(change.wanted_after)} of the painted pixels (before: {percent(change.wanted_before)})"
        )

    @torch.no_grad()
    def of_sample(self, rendering: Rendering, target: Tensor) -> str:
        """Say in how many of the painted pixels it sees their class.

        Args:
            rendering: of one picture.
            target: painted classes (H, W), -1 where nothing is painted.
        """
        known, size = target >= 0, (int(target.shape[0]), int(target.shape[1]))
        share = (self.reader.predictor.labels(rendering, size)[0] == target)[known].double().mean()
        return f"{self.words} sees it in {percent(float(share))}"


def judge_of(workspace: Workspace, by: str, classes: Sequence[str]) -> Judge | None:
    """Return what judges a search that `by` steers: a segmenter if an extractor does, else an extractor.

    None if nothing else knows the same classes, as for classes that somebody has made up and painted.
    """
    known = teachers(workspace)
    others = [Judge(words, Reader.of_segmenter(words, one)) for words, one in known.values()]
    if by in known:
        extractor = workspace.extractor or workspace.memory.get(LEARNT)
        others = [Judge("The extractor", Reader.of_extractor("", extractor))] if extractor else []
    return next((one for one in others if one.reader.predictor.classes == tuple(classes)), None)
