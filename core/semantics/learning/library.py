"""Train an extractor in memory, from plugins that are built already."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import ValidationError

from ...config.faults import describe
from ...config.segment_schema import ExtractorSection, SegmentConfig
from ...device import auto_batch, for_inference
from ...errors import ConfigError
from ...plugins.arguments import require
from ...plugins.contracts import Generator, Segmenter
from ...runs.progress import Progress
from ..extractor import Extractor, MadeFor
from ..feature_maps import Choice, choose_strata
from ..samples import LabelledSamples
from ..subject import architecture_of
from ..teacher import Teacher
from .learn import learnt_head


def train_extractor(
    generator: Generator,
    teacher: Segmenter,
    *,
    head: Literal["LSE", "NSE-1", "NSE-2"] = "LSE",
    method: Literal["gradient", "ridge", "lda"] = "gradient",
    images: int | None = None,
    classes: Sequence[str] | None = None,
    strata: Choice | Sequence[int] = "all",
    seed: int = 0,
    batch: int | None = None,
    quiet: bool = True,
    **options: Any,
) -> Extractor:
    """Learn to read a segmentation off a generator's feature maps, as `ganstrata segment train` does.

    Args:
        generator: generator whose feature maps are read.
        teacher: segmenter whose labels are learnt.
        head: LSE is linear, NSE-1 and NSE-2 are not.
        method: gradient descent, or for LSE a closed form, which is far faster.
        images: number of fresh pictures; None for 51,200, or 768 in closed form.
        classes: classes of the teacher to learn; the others become one class, background. None for all.
        strata: `all` feature maps, `last_of_resolution`, or numbers of strata.
        seed: seed of samples and first parameters.
        batch: pictures in one pass; None chooses it for the device.
        quiet: whether to show no progress.
        options: `layer_weights`, `kernel`, `learning_rate` and `layerwise_loss`, as in a config.

    Raises:
        ConfigError: an option is unknown or out of range.
        UserError: a class or a stratum does not exist, or the teacher refuses the generator.
        DataError: the loss, or a feature map, is not finite.

    Source: Xu & Zheng, "Linear Semantics in Generative Adversarial Networks", CVPR 2021.

    Example:
        >>> import ganstrata
        >>> generator = ganstrata.load_generator("stylegan2", checkpoint="bundled:rooms", device="cpu")
        >>> teacher = ganstrata.load_scorer("segmentation", checkpoint="bundled:rooms", device="cpu")
        >>> extractor = ganstrata.train_extractor(generator, teacher, method="lda", images=64)
        >>> len(extractor.classes), len(extractor.strata)
        (18, 9)
    """
    require("train_extractor()", "generator", generator, Generator, "ganstrata.load_generator")
    require("train_extractor()", "teacher", teacher, Segmenter, "ganstrata.load_scorer")
    extractor: dict[str, Any] = {
        "head": head,
        "strata": strata if isinstance(strata, str) else list(strata),
        "classes": None if classes is None else list(classes),
    }
    training: dict[str, Any] = {"method": method, "images": images, "seed": seed}
    for key, value in options.items():
        (extractor if key in ExtractorSection.model_fields else training)[key] = value
    named = {"generator": {"use": generator.name}, "teacher": {"use": teacher.name}}
    data = {**named, "extractor": extractor, "training": training}
    try:
        config = SegmentConfig.model_validate(data)
    except ValidationError as error:
        raise ConfigError("train_extractor()", describe(error, SegmentConfig, data)) from None
    teacher.check_generator(generator)
    card = generator.card
    samples = LabelledSamples(
        generator,
        Teacher.of(teacher, config.extractor.classes),
        choose_strata(generator.strata, config.extractor.strata),
        batch or auto_batch(card.height, generator.device, card.width),
        seed,
    )
    architecture = architecture_of(samples, config.extractor, config.training)
    learnt = learnt_head(samples, architecture, config.training, Progress(quiet=quiet))
    network = for_inference(learnt.head, generator.device)
    return Extractor(architecture, (network,), MadeFor.of(generator), learnt.facts)
