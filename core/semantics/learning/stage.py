"""Train the extractor of a segmentation folder, or continue where an earlier call stopped."""

from __future__ import annotations

import time
from pathlib import Path

from ...config.segment_schema import SegmentConfig
from ...device import for_inference
from ...errors import UserError
from ...runs.lock import locked
from ...runs.progress import Progress
from ...storage.disk import remove
from ...storage.training_state import TrainingState, read_state, save_state
from ..extractor import Extractor
from ..subject import Subject, build_subject
from .folder import (
    INDEX,
    STATE,
    WHAT,
    check_same,
    finish,
    read_record,
    write_record,
)
from .learn import facts_of, learnt_head
from .log import Log
from .training import Trainer

KEEP = 30.0  # seconds of training that a killed process loses at most


def train(
    config: SegmentConfig, out: Path, *, source: str = "config", progress: Progress | None = None
) -> Path:
    """Train the extractor of a config into a folder. The same call continues a training that was killed.

    Args:
        config: generator, teacher, extractor and training.
        out: the folder.
        source: the config's file, for messages.
        progress: where progress is shown; nowhere by default.

    Returns:
        The folder, with segmentation.json, extractor.safetensors and training.csv.

    Raises:
        RunError: the folder holds something else, or was begun with another config or other plugins.
        GanstrataError: a plugin or a file does not fit.
    """
    progress = progress or Progress(quiet=True)
    with locked(out, INDEX, WHAT):
        record = read_record(out)
        batch = None if record is None else record.provenance.environment.batch
        subject = build_subject(config, source, batch)
        if record is not None:
            check_same(out, record, subject)
            if record.finished:
                remove(out / STATE)  # left if a process was killed just after it had finished
                progress.say(f"{out} is trained already")
                return out
        else:
            write_record(out, subject, finished=False)
        try:
            _learn(subject, out, progress)
        except UserError:  # nothing was learnt: the folder is free for another config
            if record is None and not (out / STATE).exists():
                remove(out / INDEX)
            raise
    return out


def _learn(subject: Subject, out: Path, progress: Progress) -> None:
    """Learn the head, with a state on disk twice a minute."""
    saved = time.monotonic()

    def keep(trainer: Trainer, log: Log) -> None:
        nonlocal saved
        if time.monotonic() - saved > KEEP:
            save_state(out / STATE, TrainingState(trainer.state(), trainer.position, log.rows, log.seconds))
            saved = time.monotonic()

    section = subject.config.training
    learnt = learnt_head(
        subject.samples, subject.architecture, section, progress, stored=read_state(out / STATE), keep=keep
    )
    facts = facts_of(learnt, subject.teacher, subject.taught_by, section)
    head = for_inference(learnt.head, subject.device)
    finish(out, subject, Extractor(subject.architecture, (head,), subject.made_for, facts), learnt.rows)
