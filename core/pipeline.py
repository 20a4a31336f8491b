"""Runs the stages in order, says first what they will cost, and never does finished work again."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch

from .config import AUTO, RunConfig
from .configfile import read_config, validate
from .engine import Engine
from .errors import GanstrataError, RunError
from .learning_variance import replicate_samples
from .listeners import tell
from .manifest import GeneratorRecord
from .prepare import Prepared, prepare
from .progress import Progress, duration
from .provenance.describe import describe
from .provenance.keys import keys_of
from .randomness import Stream
from .resultfolder import damaged_results, stale_results
from .run import STAGES, Begun, Run, data_of, differing, locked
from .stages import edit, learning, report, rescoring, synthesis
from .text import listed

ROOM_FACTOR = 1.2  # what must be free, over what the arrays will take


class Stage(NamedTuple):
    """What a stage does, and how to tell that it is done."""

    work: Callable[[Run, Engine, Progress], None]
    is_complete: Callable[[Run, Prepared], bool]


_STAGES: Mapping[str, Stage] = {
    "synthesize": Stage(synthesis.synthesize, synthesis.is_complete),
    "learn": Stage(learning.learn, lambda run, _: run.is_done("learn")),
    "rescore": Stage(rescoring.rescore, rescoring.is_complete),
    "edit": Stage(edit.edit, edit.is_complete),
    "report": Stage(report.report, lambda run, _: run.is_done("report")),
}
assert tuple(_STAGES) == STAGES


def run(config: RunConfig | Mapping[str, Any] | str | Path, out: Path | str, *, quiet: bool = True) -> Run:
    """Do everything a config asks for, into a run directory; what is there already is not done again.

    Several workers are processes of their own: call this from a script under
    `if __name__ == "__main__":`, or set engine.workers to 1.

    Args:
        config: a validated config, plain data, or a file.
        out: the run directory; made if missing, continued if it holds a run of this config.
        quiet: whether to say nothing.

    Raises:
        GanstrataError: the config, a plugin, a checkpoint or the directory is not as it must be.
    """
    source = "config"
    if isinstance(config, str | Path):
        source, config = str(config), read_config(Path(config))
    elif not isinstance(config, RunConfig):
        config = validate(config, source)
    elif config.generator.use == AUTO:
        config = validate(config.model_dump(mode="json", by_alias=True), source)
    return perform(config, Path(out), STAGES, source=source, progress=Progress(quiet=quiet))


def open_run(path: Path | str) -> Run:
    """An existing run directory, for reading.

    Raises:
        RunError: it is none.
    """
    return Run.open(path)


def perform(config: RunConfig, out: Path, stages: tuple[str, ...], *, source: str, progress: Progress) -> Run:
    """The given stages of a run, which is begun or continued."""
    began = time.monotonic()
    known = Run.open(out) if (out / "run.json").is_file() else None
    if known is not None and not differing(data_of(known.config), data_of(config)):
        # Groups in another order are the same config, but layer sets stand in the arrays in the order of the first.
        config = known.config.model_copy(update={"engine": config.engine, "checks": config.checks})
    settled = known is not None and config.synthesis.batch_size == "auto"
    prepared = prepare(config, source=source, batch=known.batch if known is not None and settled else None)
    with locked(out):
        begun = Run.begin(out, config, facts_of(prepared))
        current = begun.run
        for name in STAGES[: STAGES.index(stages[0])]:
            if name in begun.stale:
                raise RunError(f"{out}: {'; '.join(begun.changes)}; the stage `{name}` must be run again first: `ganstrata {name} {out}`")
            if not _STAGES[name].is_complete(current, prepared):
                raise RunError(f"{out}: what the stage `{name}` wrote is not there or has changed; run `ganstrata {name} {out}` first")
        if "synthesize" in stages and not current.is_done("synthesize"):
            _check_room(prepared, out)
        if begun.changes:
            progress.say(f"{out}: {_consequences(begun, known)}")
        with Engine(prepared) as engine:
            if any(name != "report" and not current.is_done(name) for name in stages):
                progress.say(forecast(prepared, engine.workers))
                if prepared.generator.card.layers == 1:
                    progress.say("this generator has one layer: layer-wise analysis does not apply, everything else is done")
            # Only now does the run begin: what could not be built or has no room has changed nothing.
            if begun.is_new or begun.changes:
                current.save()
            for name in stages:
                _perform(name, current, engine, progress)
        if stages == STAGES and (damaged := damaged_results(out)):
            raise RunError(
                f"{out}: the run is complete, but results that other commands left in it are not what they wrote: {listed(damaged)}. "
                "Give these commands again, or remove these folders."
            )
        if stages == STAGES and (stale := stale_results(out, current.keys.stages)):
            progress.say(f"{listed(stale)} in {out}: made from what the run was before; give these commands again")
    progress.say(f"{out}: complete after {duration(time.monotonic() - began)}")
    return current


def resume(path: Path, stage: str, *, progress: Progress) -> Run:
    """One stage of an existing run; the stages before it must be complete."""
    current = Run.open(path)
    earlier = STAGES[: STAGES.index(stage)]
    current.require(*earlier)
    source = str(path / "run.json")
    return perform(validate(data_of(current.config), source), path, (stage,), source=source, progress=progress)


def facts_of(prepared: Prepared) -> dict[str, Any]:
    """What run.json records of plugins, checkpoints, device and sizes, and of what numbers are computed from."""
    provenance = describe(prepared)
    layers = {"sets": [[name, list(found)] for name, found in prepared.sets.items()]}
    layers |= {"groups": [[name, list(found)] for name, found in prepared.groups.items()]}
    plugins = [record for plugin in (provenance.generator, *provenance.scorers.values(), provenance.boundary) for record in plugin.all()]
    card = prepared.generator.card
    checkpoints = {"generator": card.sha256, **{alias: s.checkpoint for alias, s in prepared.scorers.items()}}
    return {
        "generator": GeneratorRecord(**vars(card), space=prepared.generator.space, fingerprint=prepared.generator.fingerprint),
        "plugins": {f"{record.kind} {record.name}": record.distribution for record in plugins},
        "checkpoints": {name: digest for name, digest in checkpoints.items() if digest},
        "batch_size": prepared.batch,
        "device": str(prepared.device),
        "precision": prepared.precision,
        "layer_sets": {name: list(layers) for name, layers in prepared.sets.items()},
        "groups": {name: list(layers) for name, layers in prepared.groups.items()},
        "provenance": provenance,
        "keys": keys_of(prepared.config, provenance, layers),
    }


def _consequences(begun: Begun, known: Run | None) -> str:
    """What changed, and what is therefore done again."""
    said = "; ".join(begun.changes)
    if begun.stale:
        said += f". Done again: {', '.join(begun.stale)}"
    there = None if known is None else known.record.keys
    if there is not None and there.latents == begun.run.keys.latents:
        said += "; the samples and the scores of all other scorers stay" if there.scores != begun.run.keys.scores else "; the samples and scores stay"
    return said


def forecast(prepared: Prepared, workers: int) -> str:
    """How many images the run will make, by formula (method B), and about how long that takes here."""
    config = prepared.config
    boundaries = len(prepared.chosen) + len(config.conditions)
    probing, verifying = config.synthesis.samples, rescoring.images_needed(prepared, boundaries)
    editing = boundaries * len(edit.shown_sets(prepared)) * config.editing.samples * config.editing.steps
    total = probing + verifying + editing
    per_image = _measure(prepared)
    samples, null, sets = config.rescoring.samples, config.rescoring.null_directions, len(prepared.sets)
    baselines, adaptive = rescoring.baselines(prepared), config.rescoring.adaptive
    resamples, fewer = config.rescoring.learning_resamples, replicate_samples(samples, prepared.batch)
    again = f" + {fewer} x {resamples} resamplings x {boundaries} boundaries" if resamples else ""
    return (
        f"{'at most ' if adaptive else ''}{total} images to make and score: {probing} for probing, {verifying} for re-scoring = "
        f"{samples} x ({baselines} + (2 x {boundaries} boundaries + {null} random) x {sets} layer sets){again}, "
        f"{editing} for edits.\nAt {1000 * per_image:.1f} ms each and {workers} worker{'s' if workers > 1 else ''}: "
        f"at most about {duration(total * per_image / workers)}, less where edits begin late in the generator"
        f"{', and where re-scoring stops early' if adaptive else ''}."
    )


@torch.inference_mode()
def _measure(prepared: Prepared) -> float:
    """Seconds per image of one batch, after one to warm up."""
    latents, _, codes = synthesis.draw(prepared, 0, Stream.PROBING)
    best = float("inf")
    for _ in range(2):
        began = time.monotonic()
        prepared.score(prepared.render(codes, latents.condition, latents.index, Stream.PROBING).rendering)
        best = min(best, time.monotonic() - began)
    return best / prepared.batch


def _perform(name: str, current: Run, engine: Engine, progress: Progress) -> None:
    stage = _STAGES[name]
    if stage.is_complete(current, engine.prepared):
        progress.say(f"{name}: was done before")
        return
    tell("ganstrata_stage_started", name, current, progress)
    try:
        stage.work(current, engine, progress)
    except BaseException as error:  # Ctrl-C too: whoever notes that a stage began is to know how it ended
        tell("ganstrata_stage_failed", name, current, progress, error=error)
        raise
    tell("ganstrata_stage_finished", name, current, progress)


def _check_room(prepared: Prepared, out: Path) -> None:
    """Refuse to begin where the disk cannot hold the samples."""
    card, n = prepared.generator.card, prepared.config.synthesis.samples
    width = card.code_size + len(prepared.concepts)
    if prepared.config.synthesis.mixing > 0.0:
        width += card.layers * card.code_size
    needed = int(4 * n * width * ROOM_FACTOR)
    free = shutil.disk_usage(out).free
    if free < needed:
        raise GanstrataError(f"{out}: the samples need about {needed / 2**20:.0f} MiB, but {free / 2**20:.0f} MiB are free on this disk")
