"""Sample pictures of a painted mask, and write them as a folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ...decimals import percent
from ...device import auto_batch
from ...figures.pictures import Pixels, png
from ...runs.progress import Progress
from ...statistics import Floats, sample_means
from ...storage.disk import file_hash
from ...storage.json_values import JsonObject
from ...strata.code_search import Search
from ...strata.code_spaces import SpaceName
from ..agreement import Overlaps, picture_mious
from ..annotation.legend import Legend, legend_beside
from ..annotation.masks import label_png, read_mask
from .defaults import CANDIDATES
from .painted_folder import Content, Names, make_into
from .painted_page import sample_page
from .sampling import Sampling, best_candidates, sample_like, searched_at_once
from .studio import PredictorName, Studio, pictures_of

INDEX = "sample.json"
PAGE = "sample.html"
COMMAND = "ganstrata segment sample"


@dataclass(frozen=True)
class SampleRequest:
    """Ask for pictures of a painted mask.

    Attributes:
        mask: a PNG of classes, unknown where anything is right.
        n: number of pictures.
        candidates: samples from which each picture's start is chosen.
        space: space whose codes move.
        search: steps, learning rate and penalties.
        by: what segments the pictures.
        resize: whether a mask of another size is resized.
    """

    mask: Path
    n: int
    candidates: int = CANDIDATES
    space: SpaceName = "z"
    search: Search = field(default_factory=Search)
    by: PredictorName = "extractor"
    resize: bool = False


@dataclass(frozen=True)
class PaintedSamples:
    """Hold n sampled pictures and how they agree with the mask.

    Attributes:
        request: what was asked.
        target: labels of the mask (H, W).
        sampling: what was found.
        pictures: (n, H, W, 3).
        labels: labels (n, H, W) of the pictures.
        classes: names of the classes.
        background: whether class 0 is the background.
    """

    request: SampleRequest
    target: Tensor
    sampling: Sampling
    pictures: Pixels
    labels: Tensor
    classes: tuple[str, ...]
    background: bool

    @property
    def numbers(self) -> Sequence[int]:
        """Numbers of the samples that pictures start from, in Stream.EDITING."""
        numbers: list[int] = self.sampling.candidates.latents.index.tolist()
        return numbers

    def accuracy(self, *, before: bool = False) -> Floats:
        """Return the share of known pixels of the mask with its class in each picture, (n,)."""
        found = self._overlaps(before)
        return np.asarray(found.correct / found.known)

    def mious(self, *, before: bool = False) -> Floats:
        """Return the mIoU of each picture with the mask, (n,)."""
        return picture_mious(self._overlaps(before), background=self.background)

    def agreement(self) -> str:
        """Return a sentence on how the pictures agree with the mask, before and after the search."""
        shares = [percent(self.accuracy(before=before).mean()) for before in (False, True)]
        mious = [float(sample_means(self.mious(before=before))) for before in (False, True)]
        known = "" if np.isnan(mious).any() else f"; mIoU {mious[0]:.3f} (before: {mious[1]:.3f})"
        return (
            f"By the {self.request.by}, {shares[0]} of the known pixels have the class of the mask "
            f"(before the search: {shares[1]}){known}."
        )

    def _overlaps(self, before: bool) -> Overlaps:
        return self.sampling.before if before else self.sampling.after


def sample(studio: Studio, request: SampleRequest, progress: Progress | None = None) -> PaintedSamples:
    """Sample pictures whose segmentation is that of a mask.

    Raises:
        UserError: the mask does not fit.
        DataError: a loss is not finite.
    """
    predictor = studio.predictor(request.by)
    legend = legend_beside(request.mask, predictor.classes)
    mask = read_mask(request.mask, legend, studio.size, resize=request.resize)
    device = studio.subject.device
    target = torch.from_numpy(mask).to(device)
    card, n = studio.generator.card, request.n
    whole = auto_batch(card.height, device, card.width)
    batch = searched_at_once(whole)
    progress = progress or Progress(quiet=True)
    with progress.stage("candidates", total=-(-n * request.candidates // whole)) as on_step:
        candidates = best_candidates(
            studio.generator,
            predictor,
            target,
            n,
            request.candidates,
            batch=whole,
            seed=studio.seed,
            precision=studio.precision,
            on_step=on_step,
        )
    with progress.stage("sample", total=-(-n // batch) * request.search.steps) as on_step:
        found = sample_like(
            studio.generator,
            predictor,
            target,
            candidates,
            request.search,
            batch=batch,
            space=request.space,
            seed=studio.seed,
            precision=studio.precision,
            on_step=on_step,
        )
    with torch.no_grad():
        labels = [predictor.labels(part.after, studio.size) for part in found.batches]
    return PaintedSamples(
        request,
        target,
        found,
        np.concatenate([pictures_of(part.after) for part in found.batches]),
        torch.cat(labels),
        predictor.classes,
        studio.extractor.architecture.background,
    )


def sample_into(
    studio: Studio, request: SampleRequest, out: Path, progress: Progress | None = None
) -> PaintedSamples:
    """Sample pictures of a mask, and write them as a folder, whole or not at all.

    Raises:
        RunError: the folder holds files that this command did not write.
        UserError: the mask does not fit.
        DataError: a loss is not finite.
    """
    return make_into(
        out,
        Names(INDEX, PAGE, COMMAND),
        lambda: sample(studio, request, progress),
        lambda sampled: _content(studio, sampled),
    )


def _content(studio: Studio, sampled: PaintedSamples) -> Content:
    """Return what the folder of sampled pictures contains."""
    legend = Legend.of(sampled.classes)
    digits = max(3, len(str(sampled.request.n - 1)))
    pictures = {
        "mask.png": label_png(sampled.target.cpu().numpy(), legend),
        **{f"picture_{i:0{digits}}.png": png(picture) for i, picture in enumerate(sampled.pictures)},
        **{
            f"labels_{i:0{digits}}.png": label_png(labels.cpu().numpy(), legend)
            for i, labels in enumerate(sampled.labels)
        },
    }
    return Content(
        legend,
        pictures,
        sampled.sampling.codes,
        sampled.sampling.candidates.latents.condition,
        lambda codes: sample_page(studio, sampled, legend, codes),
        record_of(studio, sampled),
    )


def record_of(studio: Studio, sampled: PaintedSamples) -> JsonObject:
    """Return what sample.json holds: all that decides the pictures, and how they agree with the mask."""
    request, before, after = sampled.request, sampled.mious(before=True), sampled.mious()
    return {
        "mask": {"file": request.mask.name, "sha256": file_hash(request.mask)},
        "n": request.n,
        "candidates": request.candidates,
        "by": request.by,
        "space": request.space,
        "search": asdict(request.search),
        "resized": request.resize,
        "pictures": [
            {
                "sample": number,
                "accuracy_before": float(sampled.accuracy(before=True)[i]),
                "accuracy": float(sampled.accuracy()[i]),
                # Undefined where there is nothing but background.
                "miou_before": None if np.isnan(before[i]) else float(before[i]),
                "miou": None if np.isnan(after[i]) else float(after[i]),
            }
            for i, number in enumerate(sampled.numbers)
        ],
        **studio.as_data(),
    }
