"""Write pictures of a generator into a folder, for people to paint classes on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import torch

from ...config.segment_schema import AnnotateConfig
from ...config.segment_unused import refuse_unused
from ...device import resolve_device
from ...errors import RunError, UserError
from ...messages import listed
from ...runs.lock import locked_results
from ...runs.prepare import PluginBuilder
from ...runs.progress import Progress
from ...storage.disk import write_bytes, write_text
from ...storage.result_folder import recover, staged
from ..extractor import Extractor, MadeFor
from ..extractor_file import load_extractor
from ..heads import LSE
from ..subject import segmenter_of
from ..teacher import Teacher
from .annotations import INDEX, Annotations
from .atelier import Atelier, samples_of
from .legend import CLASSES, Legend, class_names


def annotate(
    config: AnnotateConfig,
    out: Path,
    count: int,
    classes: Sequence[str] | None = None,
    *,
    extractor: Path | None = None,
    source: str = "config",
    progress: Progress | None = None,
) -> Annotations:
    """Write new pictures of a generator into a folder, for people to paint classes on.

    Args:
        config: generator and strata.
        out: folder, new or empty.
        count: number of pictures.
        classes: names of the classes; None for those of the extractor, or of the config's teacher.
        extractor: file whose labels are written beside the pictures.
        source: the config's file, for messages.
        progress: where progress is shown; nowhere by default.

    Raises:
        ConfigError: the config has a field that learning from masks does not follow.
        UserError: classes are missing, repeated or no names, or the folder holds something.
    """
    refuse_unused(
        config, source, "ganstrata segment annotate", ("gradient",), ", and give `learn` its --method"
    )
    with locked_results(out):
        return _annotated(config, out, count, classes, extractor, source, progress or Progress(quiet=True))


def _annotated(
    config: AnnotateConfig,
    out: Path,
    count: int,
    classes: Sequence[str] | None,
    extractor: Path | None,
    source: str,
    progress: Progress,
) -> Annotations:
    """Do what `annotate` does, in a folder that no other process writes."""
    recover(out, INDEX)  # what a killed process left
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise RunError(f"{out} is not empty; give an empty or a new --out")
    device = resolve_device(config.device)
    read = None if extractor is None else load_extractor(extractor, device)
    names = _classes(config, classes, read, source, device)
    samples = samples_of(config, source, names, config.training.seed)
    heads: list[LSE] = []
    if read is not None:
        read.check_generator(samples.generator)
        if read.strata != samples.strata or not all(isinstance(head, LSE) for head in read.heads):
            raise UserError(f"{extractor} is not an LSE of the strata in {source}; give another --extractor")
        heads = [cast("LSE", head) for head in read.heads]
    card, used = samples.generator.card, config.generator
    taught = classes is None and extractor is None  # else its classes are others than those painted
    made_for = MadeFor.of(samples.generator, used.use, used.options)
    index = tuple(range(count))
    folder = Annotations(
        out,
        config.as_data() if taught else config.as_data() | {"teacher": None},
        made_for,
        samples.seed,
        (card.height, card.width),
        index,
        Legend.of(names),
    )
    with staged(out, INDEX) as place, progress.stage("draw", total=count) as bar:
        begun = replace(folder, path=place)
        write_text(place / CLASSES, folder.legend.text())
        write_bytes(place / "classes.png", folder.legend.picture())
        Atelier(begun, samples, config).write_pictures(index, heads)
        bar(count)
        begun.save()
    return folder


def _classes(
    config: AnnotateConfig,
    classes: Sequence[str] | None,
    extractor: Extractor | None,
    source: str,
    device: torch.device,
) -> tuple[str, ...]:
    """Return the names of the classes: those given, else of the extractor, else of the teacher."""
    if extractor is not None:
        if classes is not None and tuple(classes) != extractor.classes:
            raise UserError(
                f"the extractor has the classes {listed(extractor.classes, 20)}; leave --classes out"
            )
        return extractor.classes
    if classes is None:
        if config.teacher is None:
            raise UserError(
                f"{source} names no teacher, so the classes are not known; name them, as in "
                "--classes wall,sofa"
            )
        teacher = PluginBuilder(source, device, config.checks).build("scorer", config.teacher, ("teacher",))
        return Teacher.of(segmenter_of(teacher, source), config.extractor.classes).classes
    return class_names(classes)
