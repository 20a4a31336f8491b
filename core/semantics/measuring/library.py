"""Measure extractors in memory, from plugins that are built already."""

from __future__ import annotations

from collections.abc import Mapping

from ...device import auto_batch
from ...errors import UserError
from ...plugins.arguments import require
from ...plugins.contracts import Generator, Segmenter
from ...runs.progress import Progress
from ...storage.csv_tables import Table
from ..extractor import Extractor
from ..samples import LabelledSamples
from ..teacher import Teacher
from .evaluation import evaluate, strata_of
from .evaluation_tables import extractors_table
from .quality import quality_of


def evaluate_extractor(
    generator: Generator,
    teacher: Segmenter,
    extractor: Extractor | Mapping[str, Extractor],
    *,
    images: int = 1000,
    seed: int = 0,
    batch: int | None = None,
    quiet: bool = True,
) -> Table:
    """Measure how well extractors agree with a teacher on new pictures, as `ganstrata segment eval` does.

    Args:
        generator: generator whose feature maps are read.
        teacher: segmenter with whose labels they are compared.
        extractor: one extractor, or several of the same classes by name, all measured on the same pictures.
        images: number of pictures, at least 1; the paper takes 10,000.
        seed: seed of the pictures. Those of a training with the same seed are others.
        batch: pictures in one pass; None chooses it for the device.
        quiet: whether to show no progress.

    Returns:
        A row per extractor, with mean IoU per image, mean IoU pooled and pixel accuracy, each from 0 to 1 and
        with the low and high end of its 95 % bootstrap interval over pictures, and gaps to the best nonlinear
        one. They are agreement with the teacher, not accuracy.

    Raises:
        UserError: an extractor is of another generator or other classes, or `images` is below 1.
        ScoreError: a feature map is not finite.

    Source: Xu & Zheng, "Linear Semantics in Generative Adversarial Networks", CVPR 2021, equation 4.

    Example:
        >>> import ganstrata
        >>> generator = ganstrata.load_generator("stylegan2", checkpoint="bundled:rooms", device="cpu")
        >>> teacher = ganstrata.load_scorer("segmentation", checkpoint="bundled:rooms", device="cpu")
        >>> extractor = ganstrata.train_extractor(generator, teacher, method="lda", images=64)
        >>> (row,) = ganstrata.evaluate_extractor(generator, teacher, extractor, images=32).records
        >>> row["miou_per_image_low"] < row["miou_per_image"] < row["miou_per_image_high"]
        True
    """
    call = "evaluate_extractor()"
    require(call, "generator", generator, Generator, "ganstrata.load_generator")
    require(call, "teacher", teacher, Segmenter, "ganstrata.load_scorer")
    several = extractor if isinstance(extractor, Mapping) else {"extractor": extractor}
    for one in several.values():
        require(call, "extractor", one, Extractor, "ganstrata.train_extractor")
    if not several or images < 1:
        raise UserError(
            f"{call} needs an extractor and at least 1 image; {len(several)} and {images} were given"
        )
    first = next(iter(several.values()))
    teacher.check_generator(generator)
    chosen = first.classes[1:] if first.architecture.background else None
    card = generator.card
    samples = LabelledSamples(
        generator,
        Teacher.of(teacher, chosen),
        strata_of(list(several.values())),
        batch or auto_batch(card.height, generator.device, card.width),
        seed,
    )
    with Progress(quiet=quiet).stage("evaluate", total=images) as bar:
        found = evaluate(samples, several, images, layerwise=False, progress=bar)
    return extractors_table(found, quality_of(found, seed=seed))
