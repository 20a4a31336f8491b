"""Open a segmentation folder for painting, and write what people paint on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import torch

from ...errors import UserError
from ...figures.pictures import Pixels, png, to_pixels
from ...messages import visible
from ...plugins.generator import Generator
from ...plugins.records import Rendering
from ...runs.inversions import read_inversion
from ...runs.lock import results_of
from ...runs.progress import Progress
from ...storage.json_values import JsonObject
from ...storage.result_folder import index_text, replace_folder
from ...strata.code_spaces import CodeSpace
from ..annotation.legend import CLASSES, Legend
from ..annotation.masks import label_png
from ..extractor import Extractor
from ..heads import Size
from ..learning.folder import open_segmentation
from ..predictors import Predictor
from ..record import record_of
from ..subject import Subject
from .painted_picture import Picture, inverted_picture, sample_picture

PredictorName = Literal["extractor", "teacher"]
PREDICTORS: tuple[PredictorName, ...] = get_args(PredictorName)
INDEX = "paint.json"
COMMAND = "ganstrata segment edit"
DIGITS = 9  # of the number of a sample, at most


@dataclass(frozen=True)
class Studio:
    """Hold what editing and sampling by painting need of a segmentation folder.

    Attributes:
        path: the folder.
        subject: generator, and teacher unless the extractor learnt from painted masks.
        extractor: the trained extractor.
    """

    path: Path
    subject: Subject
    extractor: Extractor

    @staticmethod
    def open(path: Path, device: str | None = None, progress: Progress | None = None) -> Studio:
        """Open a finished segmentation folder.

        Args:
            path: the folder.
            device: device to compute on; None for that of the folder's config.
            progress: where it is told what changed since the training.

        Raises:
            RunError: there is none, its training is not finished, or its generator has changed.
        """
        return Studio(path, *open_segmentation(path, device, progress, needs_teacher=False))

    @property
    def generator(self) -> Generator:
        """The generator."""
        return self.subject.generator

    @property
    def size(self) -> Size:
        """Height and width of the labels."""
        return self.extractor.architecture.size

    @property
    def seed(self) -> int:
        """Seed of the samples."""
        return self.subject.samples.seed

    @property
    def precision(self) -> str:
        """Precision of the config: fp32, bf16 or fp16."""
        return self.subject.samples.precision

    def predictor(self, name: PredictorName) -> Predictor:
        """Return the extractor or the teacher as a predictor with gradients.

        Raises:
            UserError: there is no such predictor, or no teacher.
        """
        if name not in PREDICTORS:
            raise UserError(f"'{name}' segments nothing; give one of {', '.join(PREDICTORS)}")
        if name == "extractor":
            return Predictor.of_extractor(self.extractor)
        if not self.has_teacher:
            raise UserError(
                f"{self.path} learnt from painted masks and has no teacher; leave out --by teacher, and the "
                "extractor leads"
            )
        return Predictor.of_teacher(self.subject.teacher)

    @property
    def has_teacher(self) -> bool:
        """Whether the folder has a teacher."""
        return self.subject.config.teacher is not None

    @property
    def predictors(self) -> tuple[PredictorName, ...]:
        """The predictors that there are."""
        return PREDICTORS if self.has_teacher else ("extractor",)

    @property
    def strata(self) -> tuple[int, ...]:
        """Strata whose feature maps extractor and teacher read."""
        return tuple(sorted({*self.extractor.strata, *self.subject.teacher.segmenter.features}))

    def as_data(self) -> JsonObject:
        """Return the entry of records: which generator and extractor the results are of."""
        return record_of(self.subject, {self.path.resolve().name: self.extractor})

    def picture(self, wanted: int | str, codes: Path | None = None) -> Picture:
        """Return the picture to paint on: a sample of Stream.EDITING, or an inverted picture of a folder.

        Args:
            wanted: number of the sample, or name or number of the inverted picture.
            codes: folder of inverted pictures; None for samples.

        Raises:
            UserError: there is no such picture.
        """
        if codes is not None:
            return inverted_picture(read_inversion(codes, self.generator), str(wanted), self.generator)
        text = str(wanted)
        if not text.isdecimal() or len(text) > DIGITS:
            raise UserError(
                f"--sample {visible(text)}: samples have numbers from 0 on; names are those of inverted "
                "pictures, whose folder --codes names"
            )
        return sample_picture(self.generator, int(text), self.seed)

    @torch.no_grad()
    def rendering(self, picture: Picture) -> Rendering:
        """Return the rendering of a picture, with the feature maps that extractor and teacher read."""
        space = CodeSpace(self.generator, "z", picture.latents.condition)
        return picture.renderer(space, self.strata, self.precision).render(picture.codes)


def prepare_painting(studio: Studio, picture: Picture, out: Path, by: PredictorName = "extractor") -> Path:
    """Write a picture and its current labels into a folder, to be painted on.

    Args:
        studio: an opened segmentation folder.
        picture: a sample or an inverted picture.
        out: folder for picture.png, labels.png, classes.json and classes.png.
        by: what labels the picture.

    Raises:
        RunError: the folder holds files that this command did not write.
    """
    with results_of(out, INDEX, COMMAND):
        predictor = studio.predictor(by)
        legend = Legend.of(predictor.classes)
        rendering = studio.rendering(picture)
        with torch.no_grad():
            labels = predictor.labels(rendering, studio.size)[0]
        files = {
            "picture.png": png(pictures_of(rendering)[0]),
            "labels.png": label_png(labels.cpu().numpy(), legend),
            **legend_files(legend),
        }
        record: JsonObject = {"sample": picture.name, "codes": picture.origin, "by": by, **studio.as_data()}
        replace_folder(out, INDEX, {**files, INDEX: index_text(record, files)})
    return out


def legend_files(legend: Legend) -> dict[str, bytes]:
    """Return the files that say which colour means which class."""
    return {CLASSES: legend.text().encode(), "classes.png": legend.picture()}


def pictures_of(rendering: Rendering) -> Pixels:
    """Return the pictures of a rendering as RGB with 8 bits, (N, H, W, 3)."""
    return to_pixels(rendering.images)
