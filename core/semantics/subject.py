"""Build what a segmentation config names: generator, teacher, and the samples that they give."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import torch

from ..config.schema import Use
from ..config.segment_schema import AnnotateConfig, ExtractorSection, TrainingSection
from ..device import auto_batch, resolve_device, resolve_precision
from ..errors import ConfigError, Fault, RunError, UserError
from ..plugins.base import Plugin, owner_of
from ..plugins.generator import Generator
from ..plugins.scorer import Segmenter
from ..randomness import Stream
from ..runs.prepare import PluginBuilder
from ..runs.provenance.describe import NUMERIC, plugin_record, version_of
from ..runs.provenance.records import Environment, PluginRecord, Record
from ..runs.spawning import end_if_imported_again
from .extractor import Architecture, Extractor, MadeFor
from .feature_maps import choose_strata
from .samples import LabelledSamples
from .teacher import Teacher
from .unlabelled import Unlabelled


class SegmentProvenance(Record):
    """Represent everything besides the config that an extractor depends on; teacher is None without one."""

    environment: Environment
    generator: PluginRecord
    teacher: PluginRecord | None


@dataclass(frozen=True)
class Subject:
    """Hold the plugins of a segmentation config.

    Attributes:
        config: the config. It names no teacher if the extractor learnt from painted masks.
        samples: generator and teacher, which draw and label samples; without a teacher, labels mean nothing.
        architecture: of the extractor that the config describes.
        device: device to compute on.
        provenance: what numbers computed with these plugins depend on.
        differences: sentences on what an extractor was trained with, and what is here now.
    """

    config: AnnotateConfig
    samples: LabelledSamples
    architecture: Architecture
    device: torch.device
    provenance: SegmentProvenance
    differences: tuple[str, ...] = ()

    @property
    def generator(self) -> Generator:
        """The generator."""
        return self.samples.generator

    @property
    def teacher(self) -> Teacher:
        """The teacher."""
        return self.samples.teacher

    @property
    def taught_by(self) -> Use:
        """Plugin and config of the teacher.

        Raises:
            RunError: there is none.
        """
        if self.config.teacher is None:
            raise RunError("the extractor learnt from painted masks, and its config names no teacher")
        return self.config.teacher

    @property
    def made_for(self) -> MadeFor:
        """Identity of the generator, with the plugin and the config that build it."""
        used = self.config.generator
        return MadeFor.of(self.generator, used.use, used.options)


def build_subject(
    config: AnnotateConfig,
    source: str = "config",
    batch: int | None = None,
    extractor: Extractor | None = None,
) -> Subject:
    """Build generator and teacher, and check what the config alone cannot show.

    Args:
        config: validated.
        source: the config's file, for messages.
        batch: batch size of an existing folder, in place of `auto`.
        extractor: has the classes, if the config names no teacher.

    Raises:
        ValueError: there is neither a teacher nor an extractor.
        GanstrataError: a plugin, checkpoint, stratum or class does not fit.
    """
    end_if_imported_again()
    device = resolve_device(config.device)
    builder = PluginBuilder(source, device, config.checks)
    generator = cast("Generator", builder.build("generator", config.generator, ("generator",)))
    chosen = config.extractor.classes
    if config.teacher is not None:
        built = segmenter_of(builder.build("scorer", config.teacher, ("teacher",)), source)
    elif extractor is not None:
        built, chosen = Unlabelled(extractor.classes, device), None
    else:
        raise ValueError("a subject needs a teacher, or an extractor that has the classes")
    faults: list[Fault] = []
    with _fault_at(faults, "teacher"):
        built.check_generator(generator)
    with _fault_at(faults, "extractor", "strata"):
        strata = choose_strata(generator.strata, config.extractor.strata)
    with _fault_at(faults, "extractor", "classes"):
        teacher = Teacher.of(built, chosen)
    if faults:
        raise ConfigError(source, faults)
    size = config.training.batch_size
    card = generator.card
    samples = LabelledSamples(
        generator,
        teacher,
        strata,
        batch
        or (auto_batch(card.height, device, card.width, [built.input_size]) if size == "auto" else size),
        config.training.seed,
        resolve_precision(config.precision, device),
    )
    if config.teacher is not None or extractor is None:
        architecture = architecture_of(samples, config.extractor, config.training)
        samples = samples.with_size(architecture.size)
    else:
        architecture = extractor.architecture
    return Subject(
        config,
        samples,
        architecture,
        device,
        _provenance(config, samples, device),
    )


def segmenter_of(built: Plugin[Any], source: str) -> Segmenter:
    """Return the plugin of the section `teacher`, if it labels pixels.

    Raises:
        ConfigError: it does not.
    """
    if isinstance(built, Segmenter):
        return built
    fault = f"{owner_of(built)} labels no pixels; a segmentation scorer is needed, such as `segmentation`"
    raise ConfigError(source, [Fault(("teacher", "use"), fault)])


@contextmanager
def _fault_at(faults: list[Fault], *place: str) -> Iterator[None]:
    """Add what is refused in the block to the faults, at a place in the config."""
    try:
        yield
    except UserError as error:
        faults.append(Fault(place, str(error)))


def architecture_of(
    samples: LabelledSamples, section: ExtractorSection, training: TrainingSection
) -> Architecture:
    """Return the architecture that a config describes, at the size of the teacher's labels."""
    one = LabelledSamples(samples.generator, samples.teacher, samples.strata, 1, samples.seed)
    _, height, width = one.draw(0, Stream.TRAINING).labels.shape
    return Architecture(
        head=section.head,
        maps=samples.maps,
        classes=samples.teacher.classes,
        size=(height, width),
        background=samples.teacher.background,
        layer_weights="equal" if section.head == "NSE-2" else section.layer_weights,
        bias=training.method != "gradient",
        kernel=section.kernel if section.head == "NSE-1" else 1,
    )


def _provenance(config: AnnotateConfig, samples: LabelledSamples, device: torch.device) -> SegmentProvenance:
    return SegmentProvenance(
        environment=Environment(
            batch=samples.batch,
            device=device.type,
            precision=samples.precision,
            packages={name: version_of(name) for name in NUMERIC},
        ),
        generator=plugin_record("generator", config.generator, samples.generator),
        teacher=None
        if config.teacher is None
        else plugin_record("scorer", config.teacher, samples.teacher.segmenter),
    )
