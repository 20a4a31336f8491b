"""Train an extractor in memory, from plugins that are built already."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from ...config.segment_schema import SegmentConfig
from ...device import for_inference
from ...plugins.generator import Generator
from ...plugins.scorer import Segmenter
from ...runs.progress import Progress
from ..extractor import Extractor, MadeFor
from ..feature_maps import Choice
from ..in_memory import as_given, config_of, samples_and_architecture
from .learn import facts_of, learnt_head


def train_extractor(
    generator: Generator,
    teacher: Segmenter,
    *,
    head: Literal["LSE", "NSE-1", "NSE-2"] = "LSE",
    method: Literal["gradient", "whitened", "ridge", "lda"] = "gradient",
    images: int | None = None,
    classes: Sequence[str] | None = None,
    strata: Choice | Sequence[int] = "all",
    seed: int = 0,
    batch: int | None = None,
    layer_weights: Literal["equal", "softplus"] = "equal",
    kernel: Literal[1, 3] = 1,
    learning_rate: float = 1e-3,
    layerwise_loss: float = 0.0,
    quiet: bool = True,
) -> Extractor:
    """Learn to read a segmentation off a generator's feature maps, as `ganstrata segment train` does.

    Args:
        generator: generator whose feature maps are read.
        teacher: segmenter whose labels are learnt.
        head: LSE is linear, NSE-1 and NSE-2 are not.
        method: gradient descent, or for LSE a closed form (ridge, lda) or one pass from there (whitened),
            which are far faster.
        images: number of fresh pictures; None for 51,200, for 2,048 (whitened), or for 768 in closed form.
        classes: classes of the teacher to learn; the others become one class, background. None for all.
        strata: `all` feature maps, `last_of_resolution`, or numbers of strata.
        seed: seed of samples and first parameters.
        batch: pictures in one pass; None chooses it for the device.
        layer_weights: LSE and NSE-1: whether the weights of strata are equal, or learnt through a softplus.
        kernel: NSE-1: width of its kernels in pixels.
        learning_rate: gradient: learning rate of Adam, above 0 and at most 1.
        layerwise_loss: gradient: weight of the losses of single strata; 0.1 in the paper's appendix I.
        quiet: whether to show no progress.

    Raises:
        ConfigError: an argument is out of range, or does not go with another.
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
    config = config_of(
        "train_extractor()",
        generator,
        teacher,
        {
            "head": head,
            "strata": as_given(strata),
            "classes": as_given(classes),
            "layer_weights": layer_weights,
            "kernel": kernel,
        },
        {
            "method": method,
            "images": images,
            "seed": seed,
            "learning_rate": learning_rate,
            "layerwise_loss": layerwise_loss,
            "batch_size": "auto" if batch is None else batch,
        },
    )
    return extractor_by(config, generator, teacher, Progress(quiet=quiet))


def extractor_by(
    config: SegmentConfig, generator: Generator, teacher: Segmenter, progress: Progress
) -> Extractor:
    """Learn the extractor of a config from its plugins, which are built already.

    Args:
        config: extractor and training.
        generator: generator whose feature maps are read.
        teacher: segmenter whose labels are learnt.
        progress: where progress is shown; what it raises ends the training.

    Raises:
        UserError: a class or a stratum does not exist.
        DataError: the loss, or a feature map, is not finite.
    """
    samples, architecture = samples_and_architecture(generator, teacher, config)
    learnt = learnt_head(samples, architecture, config.training, progress)
    return Extractor(
        architecture,
        (for_inference(learnt.head, generator.device),),
        MadeFor.of(generator, config.generator.use, config.generator.options),
        facts_of(learnt, samples.teacher, config.teacher, config.training),
    )
