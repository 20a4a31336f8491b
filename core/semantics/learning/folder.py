"""Keep a segmentation folder: config, provenance, extractor, and the state of an unfinished training."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ...config.reading import validate_annotate, validate_segment
from ...config.segment_schema import AnnotateConfig
from ...errors import CheckpointError, RunError, UserError
from ...messages import UPGRADE, listed, visible
from ...runs.begin import differing
from ...runs.progress import Progress
from ...runs.provenance.changes import plugin_changes
from ...storage.csv_tables import csv_text
from ...storage.disk import read_bytes, remove, write_text
from ...storage.json_values import JsonObject
from ...storage.seal import read_sealed, sealed_text
from ..extractor import Extractor
from ..extractor_file import load_extractor, save_extractor
from ..feature_maps import describe_maps
from ..subject import SegmentProvenance, Subject, build_subject
from .log import COLUMNS

INDEX = "segmentation.json"
EXTRACTOR = "extractor.safetensors"
STATE = "training.safetensors"
LOG = "training.csv"
FORMAT = 1
WHAT = "segmentation folder"
FREE = ("device", "checks")  # keys of the config that may differ when a training continues


@dataclass(frozen=True)
class Record:
    """Hold what segmentation.json says.

    Attributes:
        config: config of the folder.
        provenance: what its numbers depend on.
        finished: whether the extractor is trained.
    """

    config: AnnotateConfig
    provenance: SegmentProvenance
    finished: bool


def read_record(path: Path) -> Record | None:
    """Return the record of a segmentation folder, or None if the folder has none.

    Raises:
        RunError: it is damaged, or of a newer ganstrata.
    """
    file = path / INDEX
    if not file.exists():
        return None
    try:
        content = read_sealed(read_bytes(file))
        number = content["format"]
        if isinstance(number, int) and number > FORMAT:
            raise RunError(f"{file} has format {number}; this ganstrata reads format {FORMAT}. {UPGRADE}")
        config = _config(content["config"], str(file))
        provenance = SegmentProvenance.model_validate_json(json.dumps(content["provenance"]))
        return Record(config, provenance, bool(content["finished"]))
    except (OSError, ValueError, LookupError, TypeError, ValidationError) as error:
        raise RunError(
            f"{file} is damaged ({visible(str(error), 200)}); train again into another folder"
        ) from None


def _config(data: Mapping[str, Any], source: str) -> AnnotateConfig:
    """Return the config of a folder, which has no teacher if the extractor learnt from painted masks."""
    return validate_segment(data, source) if data["teacher"] is not None else validate_annotate(data, source)


def write_record(path: Path, subject: Subject, *, finished: bool) -> None:
    """Write segmentation.json."""
    content: JsonObject = {
        "format": FORMAT,
        "config": subject.config.as_data(),
        "provenance": subject.provenance.model_dump(mode="json"),
        "finished": finished,
    }
    write_text(path / INDEX, sealed_text(content))


def check_same(path: Path, record: Record, subject: Subject) -> None:
    """Refuse to continue a folder with a config or plugins other than those that it was begun with.

    Raises:
        RunError: they differ; the message says how.
    """
    old, new = (
        {key: value for key, value in config.as_data().items() if key not in FREE}
        for config in (record.config, subject.config)
    )
    changed = [f"the config: {text}" for text in differing(old, new)] or changes_since(record, subject)
    if changed:
        raise RunError(
            f"{path} was made with something else: {listed(changed, 4)}. "
            "Give another folder, or delete this one"
        )


def changes_since(record: Record, subject: Subject) -> list[str]:
    """Return a sentence for each change of the source, config, files or weights of generator and teacher."""
    old, new = record.provenance, subject.provenance
    return [
        sentence
        for who, before, now in (
            ("generator", old.generator, new.generator),
            ("teacher", old.teacher, new.teacher),
        )
        if before is not None and now is not None
        for sentence in plugin_changes(f"{who} '{now.name}'", before.essence, now.essence)
    ]


def finish(path: Path, subject: Subject, extractor: Extractor, rows: Sequence[Sequence[Any]]) -> None:
    """Write the extractor and the log of its training, and mark the folder as finished."""
    write_text(path / LOG, csv_text([COLUMNS, *rows]))
    save_extractor(extractor, path / EXTRACTOR)
    write_record(path, subject, finished=True)
    remove(path / STATE)


def open_segmentation(
    path: Path,
    device: str | None = None,
    progress: Progress | None = None,
    *,
    needs_teacher: bool = True,
) -> tuple[Subject, Extractor]:
    """Open a finished segmentation folder: its plugins as they are now, and its extractor.

    The source of the plugins, or the teacher, may have changed since the training: what is computed with the
    extractor is computed here, and the changes are told and kept in `Subject.differences`.

    Args:
        path: the folder.
        device: device to compute on; None for the one of its config.
        progress: where the changes are told.
        needs_teacher: whether to refuse an extractor that learnt from painted masks, without a teacher.

    Raises:
        RunError: there is no such folder, its training is not finished, its generator is another one now, or
            it has no teacher where one is needed.
    """
    record = read_record(path) if path.is_dir() else None
    if record is None:
        raise RunError(f"{path} is not a {WHAT}: it has no {INDEX}; `ganstrata segment train` makes one")
    if not record.finished:
        raise RunError(
            f"the training in {path} is not finished; the same `ganstrata segment train` continues it"
        )
    if needs_teacher and record.config.teacher is None:
        raise RunError(
            f"{path} learnt from painted masks and names no teacher, so there is nothing to compare it with. "
            "To compare it, call `ganstrata segment annotate` with a config that names the teacher and "
            "without --classes, copy the masks into the new folder, and learn again"
        )
    data = record.config.as_data() | ({} if device is None else {"device": device})
    config, source = _config(data, str(path / INDEX)), str(path / INDEX)
    try:
        extractor = load_extractor(path / EXTRACTOR, config.device)
    except CheckpointError as error:
        raise RunError(
            f"{error}. If it was not downloaded, put back the file that the training wrote, or train again"
        ) from error
    except UserError as error:
        raise RunError(f"{path}: {error}") from error
    subject = build_subject(config, source, record.provenance.environment.batch, extractor)
    changed = tuple(changes_since(record, subject))
    if changed and progress is not None:
        progress.say(
            f"{path}: since its training, {'; '.join(changed)}. This command computes with what is here now"
        )
    try:
        extractor.check_generator(subject.generator)
    except UserError as error:
        raise RunError(f"{path}: {error}") from error
    if fault := _fault_of_header(extractor, subject, changed=bool(changed)):
        raise RunError(
            f"{path / EXTRACTOR}: {fault}. Put back the file that the training wrote, or train again"
        )
    return replace(subject, differences=changed), extractor


def _fault_of_header(extractor: Extractor, subject: Subject, *, changed: bool) -> str:
    """Say what an extractor's header describes otherwise than its own generator and teacher have it.

    Labels of another size are no fault if something has changed, since that may be the teacher.
    """
    there, card = extractor.architecture, subject.generator.card
    for described, found in zip(there.maps, describe_maps(subject.generator, there.strata), strict=True):
        if described != found:
            return (
                f"its header describes a map of stratum {found.stratum} with {described.shape_in_words}, and "
                f"the generator makes one with {found.shape_in_words}"
            )
    taught = subject.config.teacher is not None
    size = subject.architecture.size if taught else (card.height, card.width)
    if there.size != size and not changed:
        return (
            f"its header says that labels have {there.size[0]} x {there.size[1]} pixels, and those that it "
            f"learnt from have {size[0]} x {size[1]}"
        )
    return ""


def open_another(
    path: Path, subject: Subject, other: Path | str, progress: Progress | None = None
) -> tuple[Subject, Extractor]:
    """Open a finished segmentation folder whose extractor is compared with others on the same labels.

    Args:
        path: the folder.
        subject: generator and teacher that label the pictures.
        other: what the subject is of, for messages: a folder, or the file of a config.
        progress: where the changes since the training are told.

    Returns:
        The subject, to whose differences those of this folder are added, and the extractor.

    Raises:
        RunError: it is not one, is not finished, or has another generator, another teacher or other classes.
    """
    own, extractor = open_segmentation(path, str(subject.device), progress)
    for who in ("generator", "teacher"):
        theirs, ours = (getattr(s.provenance, who).essence for s in (own, subject))
        if changes := plugin_changes(who, ours, theirs):
            raise RunError(
                f"{path} and {other} cannot be compared: {listed(changes, 3)}. "
                "Give folders of the same generator and the same teacher"
            )
    if own.teacher.classes != subject.teacher.classes:
        raise RunError(
            f"{path} and {other} cannot be compared: they have other classes, "
            f"{listed(own.teacher.classes)} and {listed(subject.teacher.classes)}. "
            "Give folders with the same extractor.classes"
        )
    added = tuple(f"{path}: {text}" for text in own.differences)
    return replace(subject, differences=(*subject.differences, *added)), extractor


def open_other(
    path: Path, subject: Subject, other: Path | str, progress: Progress | None = None
) -> tuple[Subject, Extractor]:
    """Open an extractor, in a segmentation folder or in a file of its own, to compare it with others.

    Args:
        path: the folder or the file. Of a file, only generator and classes can be checked.
        subject: generator and teacher that label the pictures.
        other: what the subject is of, for messages.
        progress: where the changes since the training are told.

    Returns:
        As `open_another`.

    Raises:
        UserError: it does not fit.
    """
    if path.is_dir():
        return open_another(path, subject, other, progress)
    extractor = load_extractor(path, subject.device)
    try:
        extractor.check_generator(subject.generator)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    if extractor.classes != subject.teacher.classes:
        raise UserError(
            f"{path} has the classes {listed(extractor.classes)}, not those of {other}, "
            f"{listed(subject.teacher.classes)}; give an extractor of the same classes"
        )
    return subject, extractor
