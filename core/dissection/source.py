"""Build what is dissected from a config of a segmentation or of a run, or from a run directory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ..config.reading import read_any_config
from ..config.schema import RunConfig, Use, UseScorer
from ..config.segment_schema import SegmentConfig, TrainingSection
from ..errors import MismatchError, UserError, nearest
from ..messages import listed, visible
from ..plugins.registry import registry
from ..plugins.scorer import Segmenter
from ..runs.run import Run
from ..semantics.feature_maps import choose_strata
from ..semantics.subject import Subject, build_subject
from ..strata.names import stratum_number


def open_subject(
    source: Path,
    *,
    scorer: str | None = None,
    strata: Sequence[str] = (),
    overrides: Sequence[str] = (),
    device: str | None = None,
) -> Subject:
    """Build the generator and the segmenter that are named in a config or in a run.

    Args:
        source: config of `ganstrata segment`, whose teacher labels; config of a run, or run directory, one of
            whose scorers labels.
        scorer: name of that scorer; None for the only one that labels pixels.
        strata: numbers or names of the strata; empty for those of the config, or all of a run.
        overrides: `key=value` texts of --set, for a config.
        device: device to compute on; None for that of the config.

    Raises:
        UserError: there is no such file, scorer or stratum, or no scorer labels pixels.
        GanstrataError: a plugin or a checkpoint does not fit.
    """
    changed = (*overrides, *(() if device is None else (f"device={device}",)))
    run = Run.open(source) if source.is_dir() else None
    if run is not None and overrides:
        raise UserError(f"--set changes the config in a file; {source} is a run, whose config is settled")
    config = read_any_config(source, changed) if run is None else run.config
    alias = ""
    if isinstance(config, RunConfig):
        used = labelling_scorer(config, str(source), scorer)
        alias = used.alias
        config = segment_config_of(config, used, None if run is None else run.batch)
        config = config if device is None else config.model_copy(update={"device": device})
    elif scorer is not None:
        raise UserError(f"--scorer chooses one of several of a run; {source} names its only one, the teacher")
    subject = build_subject(config, str(source))
    if run is not None and run.record.generator.fingerprint != subject.generator.fingerprint:
        raise MismatchError(
            f"the generator of {source} is another one now: {subject.generator.fingerprint}, and that of the "
            f"run {run.record.generator.fingerprint}. Restore its checkpoint, or give a config"
        )
    if run is not None:
        before, now = run.record.checkpoints.get(alias, ""), subject.samples.teacher.segmenter.checkpoint
        if before != now:
            raise MismatchError(
                f"the scorer {alias} of {source} is another one now: {now or 'no checkpoint'}, and that of "
                f"the run {before or 'none'}. Restore its checkpoint, or give a config"
            )
    if not strata:
        return subject
    possible = subject.generator.strata
    chosen = choose_strata(possible, [stratum_number(possible, one) for one in strata])
    return replace(subject, samples=replace(subject.samples, strata=chosen))


def labelling_scorer(config: RunConfig, source: str, scorer: str | None) -> UseScorer:
    """Return the one of a run's scorers that labels pixels.

    Args:
        config: config of the run.
        source: where it is from, for messages.
        scorer: name of the scorer; None for the only one that labels pixels.

    Raises:
        UserError: there is no such scorer, or not one alone.
    """
    names = [one.alias for one in config.scorers]
    if scorer is not None and scorer not in names:
        raise UserError(
            f"--scorer {visible(scorer)}: {source} has no such scorer.{nearest(scorer, names)} "
            f"It has {listed(names)}"
        )
    able = [
        one
        for one in config.scorers
        if scorer in (None, one.alias) and issubclass(registry().info("scorer", one.use).load(), Segmenter)
    ]
    if not able:
        who = (
            f"none of the scorers of {source} labels" if scorer is None else f"the scorer {scorer} labels no"
        )
        raise UserError(
            f"{who} pixels ({listed(names)}), so there are no classes that units could detect. Give a config "
            "with a segmentation scorer, such as `segmentation`, or one of `ganstrata segment`"
        )
    if len(able) > 1:
        raise UserError(
            f"several scorers of {source} label pixels: {listed([one.alias for one in able])}; "
            "choose with --scorer"
        )
    return able[0]


def segment_config_of(config: RunConfig, scorer: UseScorer, batch: int | None = None) -> SegmentConfig:
    """Return the config of a run's generator with one of its scorers as the teacher.

    Args:
        config: config of the run.
        scorer: the scorer.
        batch: pictures in one pass; None for that of the config.
    """
    return SegmentConfig(
        generator=config.generator,
        teacher=Use.model_validate({"use": scorer.use, "with": scorer.options}),
        training=TrainingSection(seed=config.synthesis.seed, batch_size=batch or config.synthesis.batch_size),
        device=config.device,
        precision=config.precision,
        checks=config.checks,
    )
