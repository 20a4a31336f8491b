"""Measure extractors in memory, from plugins that are built already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from ...config.segment_unused import refuse_unused
from ...device import auto_batch
from ...errors import UserError
from ...messages import listed
from ...plugins.arguments import require, require_number, whole_numbers
from ...plugins.generator import Generator
from ...plugins.scorer import Segmenter
from ...runs.progress import Progress
from ...storage.csv_tables import Table
from ...storage.json_values import JsonObject
from ..extractor import Extractor, MadeFor
from ..feature_maps import Choice
from ..in_memory import as_given, config_of, samples_and_architecture
from ..learning.shots import SPACING, Lesson, train_shots
from ..samples import LabelledSamples
from ..teacher import Teacher
from .evaluation import evaluate, strata_of
from .evaluation_tables import extractors_table
from .quality import quality_of
from .shots import FULL, ShotsRequest, measured
from .shots_tables import tables


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
    if not several:
        raise UserError(f"{call} needs an extractor; none was given")
    require_number(call, "images", images, 1)
    require_number(call, "seed", seed, 0)
    require_number(call, "batch", batch, 1, optional=True)
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


def evaluate_shots(
    generator: Generator,
    teacher: Segmenter,
    *,
    shots: Sequence[int] = (1, 4, 8, 16),
    repeats: int = 5,
    images: int = 1000,
    method: Literal["gradient", "lda", "ridge"] = "gradient",
    full: Extractor | None = None,
    classes: Sequence[str] | None = None,
    strata: Choice | Sequence[int] = "all",
    learning_rate: float = 1e-3,
    seed: int = 0,
    batch: int | None = None,
    quiet: bool = True,
) -> Table:
    """Measure how good extractors are that learn from a few pictures, as `ganstrata segment shots` does.

    Args:
        generator: generator whose feature maps are read.
        teacher: segmenter that annotates the pictures, and with whose labels all are compared.
        shots: numbers of annotated pictures, from 1 to 1000.
        repeats: trainings for each number, each on other pictures.
        images: new pictures on which all are measured.
        method: the paper's gradient descent, or a closed form.
        full: an extractor of full training, which counts as 100 %.
        classes: classes of the teacher to learn; the others become one class, background. None for all.
        strata: `all` feature maps, `last_of_resolution`, or numbers of strata.
        learning_rate: gradient: learning rate of Adam.
        seed: seed of samples and first parameters.
        batch: pictures in one pass; None chooses it for the device.
        quiet: whether to show no progress.

    Returns:
        A row per number of pictures, with mean IoU per image over the repeats, the largest deviation from it,
        the standard deviation, the 95 % interval of the mean, the ratio to `full`, and mean IoU pooled; a
        last row for `full`. They are agreement with the teacher, not accuracy.

    Raises:
        ConfigError: an argument is out of range.
        UserError: a class or a stratum does not exist, or `full` is of another generator or other classes.
        DataError: pictures cannot be learnt from, such as one that is all of one class.

    Source: Xu & Zheng, "Linear Semantics in Generative Adversarial Networks", CVPR 2021, table 2.

    Example:
        >>> import ganstrata
        >>> generator = ganstrata.load_generator("stylegan2", checkpoint="bundled:rooms", device="cpu")
        >>> teacher = ganstrata.load_scorer("segmentation", checkpoint="bundled:rooms", device="cpu")
        >>> table = ganstrata.evaluate_shots(
        ...     generator, teacher, shots=[1, 4], repeats=2, images=32, method="lda"
        ... )
        >>> one, four = table.records
        >>> one["shots"], four["shots"], one["miou_per_image"] < four["miou_per_image"]
        (1, 4, True)
    """
    call = "evaluate_shots()"
    extractor = {
        "strata": as_given(strata),
        "classes": as_given(classes),
    }
    training: JsonObject = {
        "method": method,
        "seed": seed,
        "learning_rate": learning_rate,
        "batch_size": "auto" if batch is None else batch,
    }
    config = config_of(call, generator, teacher, extractor, training)
    refuse_unused(config, call, call, ("gradient", "lda", "ridge"))
    require_number(call, "repeats", repeats, 1)
    require_number(call, "images", images, 1)
    request = ShotsRequest(whole_numbers(call, "shots", shots, 1, SPACING), repeats, images)
    samples, architecture = samples_and_architecture(generator, teacher, config)
    whole = {} if full is None else {FULL: full}
    for one in whole.values():
        require(call, "full", one, Extractor, "ganstrata.train_extractor")
        one.check_generator(generator)
        if one.classes != architecture.classes:
            raise UserError(
                f"{call}: `full` has the classes {listed(one.classes, 20)}, and those to learn are "
                f"{listed(architecture.classes, 20)}; give its classes as `classes`"
            )
    made_for = MadeFor.of(generator, config.generator.use, config.generator.options)
    lesson = Lesson(samples, architecture, made_for, config.teacher.use, config.training)
    progress = Progress(quiet=quiet)
    trained = train_shots(lesson, request.shots, request.repeats, progress)
    return tables(measured(lesson, request, trained, whole, progress))["table_2"]
