"""Label generated pictures with a segmentation scorer, for some of its classes.

Shapes: N pictures, H x W pixels of labels, M classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ..device import sent
from ..errors import ScoreError, UserError, nearest
from ..messages import listed, shown
from ..plugins.base import owner_of
from ..plugins.classes import begin_check_labels
from ..plugins.pending import Pending, all_of
from ..plugins.records import Rendering
from ..plugins.scorer import Segmenter
from ..plugins.scoring import WriteWatch
from ..storage.name_rules import class_name_fault
from .extractor import BACKGROUND
from .heads import Size

UNKNOWN = -1  # label of pixels that are left out of losses and measures


@dataclass(frozen=True)
class Teacher:
    """Label pixels with M classes of a segmenter.

    If some of the segmenter's classes are left out, there is a first class `background`, whose logit is 0: a
    pixel is background if no chosen class has a logit above 0. So labels of chosen classes are not the same
    as those among all classes. Source: the code of Xu & Zheng 2021.

    Attributes:
        segmenter: the scorer that labels.
        chosen: numbers of the chosen classes; None for all, without background.
        size: height and width of all labels, as the first had them; None if they may have any.
    """

    segmenter: Segmenter
    chosen: tuple[int, ...] | None = None
    size: Size | None = None

    @staticmethod
    def of(segmenter: Segmenter, classes: Sequence[str] | None = None) -> Teacher:
        """Return a teacher of the named classes, or of all.

        Raises:
            UserError: the segmenter has no such class, or there is only one to tell apart.
        """
        names = [concept.name for concept in segmenter.concepts]
        if len(names) < 2:
            raise UserError(
                f"{owner_of(segmenter)} has {len(names)} class, but two are needed to tell them apart"
            )
        for name in names if classes is None else classes:
            if name in names and (fault := class_name_fault(name)):
                raise UserError(
                    f"the class {shown(name)} of {owner_of(segmenter)} {fault}, so it cannot be one of an "
                    "extractor; rename it there, or leave it out with extractor.classes"
                )
        if classes is None:
            return Teacher(segmenter)
        for name in classes:
            if name not in names:
                raise UserError(
                    f"{owner_of(segmenter)} has no class {shown(name)}.{nearest(name, names)} "
                    f"Its classes are {listed(names, 30)}"
                )
        chosen = tuple(sorted({names.index(name) for name in classes}))
        if len(chosen) == len(names):
            return Teacher(segmenter)
        if BACKGROUND in (names[i] for i in chosen):
            raise UserError(
                f"the class '{BACKGROUND}' of {owner_of(segmenter)} cannot be chosen where other classes are "
                "left out: these become a class of the same name. Leave it out as well, or choose all"
            )
        return Teacher(segmenter, chosen)

    @property
    def background(self) -> bool:
        """Whether the first class is the background."""
        return self.chosen is not None

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the M classes, with the background if there is one."""
        names = tuple(concept.name for concept in self.segmenter.concepts)
        return names if self.chosen is None else (BACKGROUND, *(names[i] for i in self.chosen))

    def labels(self, rendering: Rendering) -> Tensor:
        """Return the class of every pixel, (N, H, W), int64; UNKNOWN in pictures that are not finite.

        Raises:
            ScoreError: the segmenter returned something of another shape or another size than before, or
                labels that it does not have.
            PluginBroken: it wrote into its input.
        """
        labels, check = self.begin_labels(rendering)
        check.result()
        return labels

    def begin_labels(self, rendering: Rendering) -> tuple[Tensor, Pending[None]]:
        """Return what `labels` returns without waiting for it, and the check of it.

        Labels that the segmenter does not have are UNKNOWN until the check refuses them.

        Raises:
            ScoreError: the segmenter returned something of another shape or another size than before; the
                check raises the rest.
        """
        watch = WriteWatch(self.segmenter, rendering)
        labels = self._all(rendering) if self.chosen is None else self._of_chosen(rendering)
        owner, classes = owner_of(self.segmenter), len(self.classes)
        written = watch.ended()
        checked = begin_check_labels(labels, owner, len(rendering.images), classes)
        if self.size is not None and tuple(labels.shape[1:]) != self.size:
            raise ScoreError(
                f"{owner_of(self.segmenter)} gave labels of {labels.shape[1]} x {labels.shape[2]} pixels, "
                f"but of {self.size[0]} x {self.size[1]} before; all its labels must have one size"
            )
        if rendering.finite is not None:
            labels = torch.where(rendering.finite.to(labels.device)[:, None, None], labels, UNKNOWN)
        labels = labels.long()
        if not checked.at_once:  # a number beyond the classes would end the process on an accelerator
            labels = torch.where((labels >= 0) & (labels < classes), labels, UNKNOWN)
        return labels, all_of([written, checked])

    def _all(self, rendering: Rendering) -> Tensor:
        return self.segmenter.labels(rendering)

    def _of_chosen(self, rendering: Rendering) -> Tensor:
        return self.logits(rendering).max(dim=1).indices

    def _chosen_of(self, logits: Tensor) -> Tensor:
        assert self.chosen is not None
        return logits[:, sent(torch.tensor(self.chosen), logits.device)]

    def logits(self, rendering: Rendering) -> Tensor:
        """Return logits (N, M, H, W) at the size of the labels, with gradients if they are switched on.

        Raises:
            ScoreError: the segmenter returned something of another shape.
        """
        logits = self.segmenter.logits(rendering)  # (N, all classes, h, w)
        logits = logits.float() if self.chosen is None else self._chosen_of(logits).float()
        with torch.no_grad():
            size = tuple(self.segmenter.labels(rendering).shape[-2:])
        if tuple(logits.shape[-2:]) != size:
            logits = F.interpolate(logits, size=size, mode="bilinear", align_corners=False)
        return logits if self.chosen is None else F.pad(logits, (0, 0, 0, 0, 1, 0))  # a plane of zeros first
