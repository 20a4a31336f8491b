"""Find what can segment the pictures of a run: extractors and segmenters, by names that the page knows.

- `folder`: the extractor of the folder that the command named.
- `learnt`: one that is learnt from a segmenter, in seconds, when somebody asks for it.
- `scorer ALIAS`: a segmenter among the scorers of the run; `bundled`: the one of the bundled rooms.
- `own N`: learnt in this tab from painted masks.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from ...core.checkpoints import locate
from ...core.errors import UserError
from ...core.plugins.records import Rendering
from ...core.plugins.scorer import Segmenter
from ...core.runs.loading import load_scorer
from ...core.semantics.extractor import Extractor
from ...core.semantics.heads import Size
from ...core.semantics.in_memory import config_of
from ...core.semantics.learning.api import extractor_by
from ...core.semantics.predictors import Predictor
from ...core.semantics.teacher import Teacher
from ...core.storage.disk import file_hash
from ...core.storage.json_values import JsonObject
from ..handlers import Answer, Nothing
from ..sessions import Session
from ..workspace import Workspace
from .jobs import JobProgress

LEARNT = "learnt extractor"  # in the memory of the workspace
IMAGES = 128  # from which an extractor is learnt, nearly as good as from 768; 96 others choose its strength
BATCH = 8  # small, so that frames that somebody drags do not wait long between two
BUNDLED = "bundled:rooms"
MOST_OWN = 6  # extractors of one tab
SEES_PICTURES = (
    "A network that sees the picture leads with longer steps than an extractor, and changes more of the rest."
)
NONE_HERE = (
    "Painting needs something that segments the pictures, and no scorer of this run does. Train an extractor "
    "with `ganstrata segment train`, and start the app with --segmentation and its folder; or paint a few "
    "masks in the view Annotate, which learns one from them."
)


@dataclass(frozen=True)
class Reader:
    """Represent what segments pictures.

    Attributes:
        words: as the page shows it.
        predictor: gives the logits of a rendering.
        measure: returns height and width of its labels, of a rendering.
    """

    words: str
    predictor: Predictor
    measure: Callable[[Rendering], Size]

    @staticmethod
    def of_extractor(words: str, extractor: Extractor) -> Reader:
        """Return the reader of an extractor."""
        size = extractor.architecture.size
        return Reader(words, Predictor.of_extractor(extractor), lambda rendering: size)

    @staticmethod
    def of_segmenter(words: str, segmenter: Segmenter) -> Reader:
        """Return the reader of a segmenter."""
        teacher = Teacher.of(segmenter)

        def measure(rendering: Rendering) -> Size:
            with torch.no_grad():
                height, width = teacher.labels(rendering).shape[-2:]
            return int(height), int(width)

        return Reader(words, Predictor.of_teacher(teacher), measure)


def readers(workspace: Workspace, session: Session) -> list[dict[str, Any]]:
    """Return what can segment the pictures, the best first: name, words, and whether it is ready."""
    found = []
    if workspace.extractor is not None:
        found.append(
            {"by": "folder", "words": "Extractor of the folder that the command named", "ready": True}
        )
    elif teachers(workspace):
        learnt = workspace.memory.get(LEARNT)
        words = "Extractor, learnt here" if learnt else "Extractor: it is learnt first, in seconds"
        found.append({"by": "learnt", "words": words, "ready": learnt is not None})
    found += [
        {"by": by, "words": words, "ready": True, "hint": "" if segmenter.features else SEES_PICTURES}
        for by, (words, segmenter) in teachers(workspace).items()
    ]
    found += [{"by": by, "words": words, "ready": True} for by, (words, _) in own_extractors(session).items()]
    return found


def reader_of(workspace: Workspace, session: Session, by: str) -> Reader:
    """Return what segments, by its name.

    Raises:
        UserError: there is none, or it was not learnt yet.
    """
    teacher = teachers(workspace).get(by)
    if teacher is not None:
        return Reader.of_segmenter(*teacher)
    if by == "learnt" and teachers(workspace) and LEARNT not in workspace.memory:
        raise UserError("this extractor was not learnt yet; choose it once more in the view Paint")
    extractor = extractor_of(workspace, session, by)
    return Reader.of_extractor(by, extractor)


def extractor_of(workspace: Workspace, session: Session, by: str) -> Extractor:
    """Return an extractor by its name.

    Raises:
        UserError: there is none.
    """
    found: Extractor | None = None
    if by == "folder":
        found = workspace.extractor
    elif by == "learnt":
        found = workspace.memory.get(LEARNT)
    else:
        found = own_extractors(session).get(by, ("", None))[1]
    if found is None:
        raise UserError("this is not held any more, or never was; choose another way to segment")
    return found


def own_extractors(session: Session) -> dict[str, tuple[str, Extractor]]:
    """Return words and extractor of what was learnt in a tab, by name; a dict that may be changed."""
    own: dict[str, tuple[str, Extractor]] = session.memory.setdefault("own extractors", {})
    return own


def teachers(workspace: Workspace) -> dict[str, tuple[str, Segmenter]]:
    """Return words and segmenter, by name: scorers of the run, or else the one of the bundled rooms."""
    if "teachers" not in workspace.memory:
        workspace.memory["teachers"] = _teachers(workspace)
    found: dict[str, tuple[str, Segmenter]] = workspace.memory["teachers"]
    return found


def _teachers(workspace: Workspace) -> dict[str, tuple[str, Segmenter]]:
    prepared = workspace.prepared
    found = {
        f"scorer {alias}": (f"Scorer {alias}", scorer)
        for alias, scorer in prepared.scorers.items()
        if isinstance(scorer, Segmenter) and len(scorer.concepts) >= 2
    }
    if found or not _is_bundled(workspace):
        return found
    segmenter = load_scorer("segmentation", checkpoint=BUNDLED, device=str(prepared.device))
    assert isinstance(segmenter, Segmenter)
    return {"bundled": ("The bundled segmenter of rooms", segmenter)}


def _is_bundled(workspace: Workspace) -> bool:
    """Return whether the generator is the one of the bundled rooms, whatever its file is called."""
    return workspace.prepared.generator.card.sha256 == file_hash(locate(BUNDLED, "generator"))


def learn(workspace: Workspace, session: Session, request: Nothing, answer: Answer) -> dict[str, Any]:
    """Learn an extractor from a segmenter, for all tabs."""
    taught = next(iter(teachers(workspace).values()), None)
    if taught is None:
        raise UserError(NONE_HERE)
    began, prepared = time.monotonic(), workspace.prepared
    remarks: list[str] = []
    if LEARNT not in workspace.memory:
        generator, (_, teacher) = prepared.generator, taught
        training: JsonObject = {"method": "lda", "images": IMAGES, "seed": prepared.seed, "batch_size": BATCH}
        progress = JobProgress(answer)
        config = config_of("the app", generator, teacher, {}, training)
        workspace.memory[LEARNT] = extractor_by(config, generator, teacher, progress)
        remarks = progress.remarks
    learnt: Extractor = workspace.memory[LEARNT]
    quality = learnt.facts.get("quality", {}).get("mIoU of held-out pixels")
    return {
        "by": "learnt",
        "from": taught[0],
        "images": IMAGES,
        "miou": quality if isinstance(quality, float) and quality == quality else None,
        "seconds": round(time.monotonic() - began, 1),
        "remarks": remarks,
    }
