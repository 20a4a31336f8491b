"""Make a segmentation config and samples of plugins that are built already."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import ValidationError

from ..config.faults import describe
from ..config.segment_schema import SegmentConfig
from ..device import auto_batch
from ..errors import ConfigError
from ..plugins.arguments import require
from ..plugins.base import Plugin
from ..plugins.generator import Generator
from ..plugins.scorer import Segmenter
from ..storage.json_values import JsonObject
from .extractor import Architecture
from .feature_maps import choose_strata
from .samples import LabelledSamples
from .subject import architecture_of
from .teacher import Teacher


def config_of(
    call: str, generator: Generator, teacher: Segmenter, extractor: JsonObject, training: JsonObject
) -> SegmentConfig:
    """Return the config that names two plugins, with fields of its sections `extractor` and `training`.

    Args:
        call: the function that was given them, such as `train_extractor()`.
        generator: generator whose feature maps are read.
        teacher: segmenter whose labels are learnt.
        extractor: fields of the section.
        training: fields of the section.

    Raises:
        ConfigError: a field is out of range, or does not go with another.
        UserError: a plugin is of another kind, or the teacher refuses the generator.
    """
    require(call, "generator", generator, Generator, "ganstrata.load_generator")
    require(call, "teacher", teacher, Segmenter, "ganstrata.load_scorer")
    data = {
        "generator": _use_of(generator),
        "teacher": _use_of(teacher),
        "extractor": extractor,
        "training": training,
    }
    try:
        config = SegmentConfig.model_validate(data)
    except ValidationError as error:
        raise ConfigError(call, describe(error, SegmentConfig, data)) from None
    teacher.check_generator(generator)
    return config


def as_given(values: object) -> Any:
    """Return a sequence as a list, and anything else as it is: a word, nothing, or a mistake to be told.

    >>> as_given(("floor", "bed")), as_given("floor"), as_given(None)
    (['floor', 'bed'], 'floor', None)
    """
    return list(values) if isinstance(values, Iterable) and not isinstance(values, str) else values


def samples_and_architecture(
    generator: Generator, teacher: Segmenter, config: SegmentConfig
) -> tuple[LabelledSamples, Architecture]:
    """Return the samples that a config's plugins draw and label, and the architecture that learns from them.

    Raises:
        UserError: a class or a stratum does not exist.
    """
    card, size = generator.card, config.training.batch_size
    samples = LabelledSamples(
        generator,
        Teacher.of(teacher, config.extractor.classes),
        choose_strata(generator.strata, config.extractor.strata),
        auto_batch(card.height, generator.device, card.width) if size == "auto" else size,
        config.training.seed,
    )
    architecture = architecture_of(samples, config.extractor, config.training)
    return samples.with_size(architecture.size), architecture


def _use_of(built: Plugin[Any]) -> dict[str, Any]:
    """Return name and config of a plugin, as a config gives them."""
    return {"use": built.name, "with": built.config.model_dump(mode="json", exclude_unset=True)}
