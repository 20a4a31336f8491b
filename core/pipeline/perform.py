"""Run the stages in order. Finished work is not done again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from ..analyses.objects_record import FOLDER as OBJECTS
from ..analyses.objects_record import read_objects
from ..analyses.plugin_result import analysis_names, computed_otherwise
from ..boundaries import stage as learning
from ..config.reading import read_config, validate
from ..config.schema import AUTO, RunConfig
from ..conformance.batches import check_batch, check_few_scores, check_samples
from ..device import slow_precision
from ..editing import stage as edit
from ..errors import GanstrataError, RunError
from ..messages import listed
from ..plugins.failures import one_line
from ..probing import stage as synthesis
from ..report import stage as report
from ..rescoring import stage as rescoring
from ..runs.begin import Begun, begin_run, differing
from ..runs.engines.run_engine import RunEngine
from ..runs.facts import facts_of
from ..runs.lease import Lease, leased
from ..runs.listeners import tell
from ..runs.loading import checkpoint_named
from ..runs.lock import locked
from ..runs.prepare import Prepared, fault_placed, prepare
from ..runs.progress import Progress, duration
from ..runs.provenance.records import digest
from ..runs.run import Run
from ..runs.stages import STAGES, Stage
from ..runs.status import telling
from ..storage.result_folder import damaged_results, stale_results
from ..strata.first_batch import taken
from .batch_size import free_memory, with_half_the_batch
from .forecast import check_room, forecast
from .results import Results


class StageFunctions(NamedTuple):
    """Hold the function of a stage, and the function that says whether the stage is complete."""

    compute: Callable[[Run, RunEngine, Progress], None]
    is_complete: Callable[[Run, Prepared], bool]


_STAGES: Mapping[Stage, StageFunctions] = {
    "synthesize": StageFunctions(synthesis.synthesize, synthesis.is_complete),
    "learn": StageFunctions(learning.learn, lambda run, _: run.is_done("learn")),
    "rescore": StageFunctions(rescoring.rescore, rescoring.is_complete),
    "edit": StageFunctions(edit.edit, edit.is_complete),
    "report": StageFunctions(report.report, lambda run, _: run.is_done("report")),
}
assert tuple(_STAGES) == STAGES


def run(
    config: RunConfig | Mapping[str, Any] | str | Path, out: Path | str, *, quiet: bool = True
) -> Results:
    """Run all stages of a config in a run directory. Finished stages are not run again.

    Several workers are separate processes: call this from a script under `if __name__ == "__main__":`, or set
    engine.workers to 1.

    Args:
        config: a validated config, plain data, or the path of a file.
        out: the run directory. It is created if missing, and continued if it holds a run of this config.
        quiet: whether to print nothing.

    Raises:
        GanstrataError: there is a fault in the config, a plugin, a checkpoint or the directory.
    """
    source = "config"
    if isinstance(config, str | Path):
        source, config = str(config), read_config(Path(config))
    elif not isinstance(config, RunConfig):
        config = validate(config, source)
    elif config.generator.use == AUTO:
        config = validate(config.as_data(), source)
    finished = perform(config, Path(out), STAGES, source=source, progress=Progress(quiet=quiet))
    return Results(finished.path, finished.record)


def perform(
    config: RunConfig, out: Path, stages: tuple[Stage, ...], *, source: str, progress: Progress
) -> Run:
    """Run these stages of a new or existing run.

    Args:
        config: validated.
        out: the run directory.
        stages: names, in the order of `STAGES`.
        source: the config's file, for messages.
        progress: where progress is shown.

    Raises:
        GanstrataError: there is a fault in the config, a plugin, a checkpoint or the directory, or an earlier
            stage must be run first.
    """
    began = time.monotonic()
    known = Run.open(out) if (out / "run.json").is_file() else None
    if known is not None and not differing(known.config.as_data(), config.as_data()):
        # Groups in another order are the same config, but the arrays have the layer sets in the first order.
        config = known.config.model_copy(
            update={"engine": config.engine, "checks": config.checks, "store": config.store}
        )
    # `auto` is resolved once, when the run begins.
    batch = known.batch if known is not None and config.synthesis.batch_size == "auto" else None
    prepared = prepare(config, source=source, batch=batch, check=False)  # see _check
    with locked(out):
        anew = False
        while True:
            reached: list[Stage] = []
            try:
                current = _attempt(prepared, out, stages, known, progress, reached, source=source, anew=anew)
                break
            except Exception as error:
                if reached:
                    _check_is_there(out, error)
                smaller = with_half_the_batch(prepared, out, error, reached[-1] if reached else None)
            free_memory()
            progress.say(
                f"{out}: memory ran out with batches of {prepared.batch} pictures; trying {smaller.batch}"
            )
            prepared, anew = smaller, True
        if stages == STAGES and (damaged := damaged_results(out, analysis_names())):
            raise RunError(
                f"{out}: the run is complete, but results of other commands in it are damaged: "
                f"{listed(damaged)}. Run these commands again, or remove these folders."
            )
        if "report" in stages:
            _name_stale(current, progress)
    progress.say(f"{out}: complete in {duration(time.monotonic() - began)}")
    return current


def _check_is_there(out: Path, error: Exception) -> None:
    """Say why a stage has failed whose run directory is gone: files that are missing are not damaged.

    Raises:
        RunError: it is gone.
    """
    if isinstance(error, GanstrataError | OSError) and not (out / "run.json").is_file():
        raise RunError(
            f"{out} was removed or renamed while this command worked on it, so it stopped: {one_line(error)}"
        ) from error


def _attempt(
    prepared: Prepared,
    out: Path,
    stages: tuple[Stage, ...],
    known: Run | None,
    progress: Progress,
    reached: list[Stage],
    *,
    source: str,
    anew: bool,
) -> Run:
    """Run these stages with the batch of `prepared`.

    Args:
        prepared: plugins of the run.
        out: the run directory, locked.
        stages: as for `perform`.
        known: the run that the directory held.
        progress: where progress is shown.
        reached: gets the name of each stage that is begun.
        source: the config's file, for messages.
        anew: whether to begin the run anew, with nothing of what the directory holds.

    Raises:
        GanstrataError: as for `perform`.
    """
    begun = begin_run(out, prepared.config, facts_of(prepared), anew=anew)
    current = begun.run
    with _hold(current, progress) as lease:
        _check_earlier(begun, prepared, STAGES[: STAGES.index(stages[0])])
        if "synthesize" in stages and lease is None and not current.is_done("synthesize"):
            check_room(prepared, out)
        if begun.changes:
            progress.say(f"{out}: {_consequences(begun, known)}")
        with RunEngine(prepared, progress.say) as engine:
            is_checked = False
            if any(name != "report" and not current.is_done(name) for name in stages):
                is_checked = _check(prepared, current, source)
                progress.say(forecast(prepared, engine.workers))
                if current.is_done("synthesize"):
                    taken(prepared, prepared.memory)  # which nothing needs any more
                if prepared.generator.card.layers == 1:
                    progress.say(
                        "this generator has one layer: "
                        "layer-wise analysis does not apply; everything else is computed"
                    )
                if slow := slow_precision(prepared.device, prepared.precision):
                    progress.say(slow)
            # run.json is written only now, so a run that cannot begin changes nothing.
            if begun.is_new or begun.changes or is_checked:
                current.save()
            if lease is not None:
                lease.own(str(out.resolve()))
            with telling(current, engine, progress):
                for name in stages:
                    reached.append(name)
                    _perform(name, current, engine, progress)
    return current


def _check(prepared: Prepared, current: Run, source: str) -> bool:
    """Check what the plugins make, unless the run says that the same ones were checked; return if they were.

    Raises:
        GanstrataError: a plugin breaks the contract, or the config or a file that it names does not fit.
    """
    if not prepared.config.checks:
        return False
    for scorer in prepared.scorers.values():
        scorer.judges_range = True
    # Plugins, and all that they compute with, are in the key of the samples.
    key = digest([current.keys.stages["synthesize"], current.record.layer_sets])
    if current.record.checked == key:
        return False
    used, sets = prepared.config.generator, list(prepared.sets.values())
    if prepared.mixing > 0.0:  # single samples have one style
        prepared = replace(prepared, mixing=0.0, memory={})
    memory = prepared.memory
    with fault_placed(source, used, ("generator",)), checkpoint_named(used.options):
        held = check_samples(prepared, sets, memory)
    check_few_scores(prepared, sets, memory)
    with checkpoint_named(used.options):
        check_batch(prepared, sets, memory, held=held)
    current.record.checked = key
    return True


@contextmanager
def _hold(current: Run, progress: Progress) -> Iterator[Lease | None]:
    """Hold the arrays of a run that lie at a URL, so that no other process works on them; None elsewhere."""
    with leased(current.record.store) as lease:
        if lease is not None:
            current.check_held = lease.check
            if lease.taken_over:
                progress.say(f"{lease.place}: taken over from {lease.taken_over}, which has ended")
        yield lease


def _check_earlier(begun: Begun, prepared: Prepared, stages: tuple[Stage, ...]) -> None:
    """Check that stages are complete before later ones are run.

    Raises:
        RunError: one is not, or must be run again.
    """
    current = begun.run
    for name in stages:
        if name in begun.stale:
            raise RunError(
                f"{current.path}: {'; '.join(begun.changes)}; the stage `{name}` must be run again first: "
                f"`ganstrata {name} {current.path}`"
            )
        if not _STAGES[name].is_complete(current, prepared):
            raise RunError(
                f"{current.path}: the results of the stage `{name}` are missing or have changed; "
                f"run `ganstrata {name} {current.path}` first"
            )


def resume(path: Path, stage: Stage, *, progress: Progress) -> Run:
    """Run one stage of an existing run.

    Raises:
        GanstrataError: as for `perform`; the stages before it must be complete.
    """
    current = Run.open(path)
    earlier = STAGES[: STAGES.index(stage)]
    current.require(*earlier)
    source = str(path / "run.json")
    return perform(
        validate(current.config.as_data(), source), path, (stage,), source=source, progress=progress
    )


def _name_stale(current: Run, progress: Progress) -> None:
    """Name the results of other commands that no longer belong to what the run holds."""
    out = current.path
    if stale := stale_results(out, current.keys.stages):
        progress.say(
            f"{listed(stale)} in {out}: computed from an earlier state of the run; run these commands again"
        )
    if sentences := computed_otherwise(out):
        progress.say(f"{out}: {'; '.join(sentences)}; run these commands again")
    objects = read_objects(current)
    if objects is not None and objects.faults:
        progress.say(f"{OBJECTS} in {out}: {' '.join(objects.faults)} Run this command again")


def _consequences(begun: Begun, known: Run | None) -> str:
    """Describe what changed since the run was made, and which stages are therefore run again."""
    text = "; ".join(begun.changes)
    if begun.stale:
        text += f". Done again: {', '.join(begun.stale)}"
    stored = None if known is None else known.record.keys
    if stored is not None and stored.latents == begun.run.keys.latents:
        text += (
            "; the samples and the scores of all other scorers stay"
            if stored.scores != begun.run.keys.scores
            else "; the samples and scores stay"
        )
    return text


def _perform(name: Stage, current: Run, engine: RunEngine, progress: Progress) -> None:
    """Run one stage unless it is complete, and tell the listeners."""
    stage = _STAGES[name]
    if stage.is_complete(current, engine.prepared):
        progress.say(f"{name}: was done before")
        return
    seen = Results(current.path, current.record)  # so that listeners can read what the stages computed
    tell("ganstrata_stage_started", name, seen, progress)
    try:
        stage.compute(current, engine, progress)
    except BaseException as error:  # also Ctrl-C: every start of a stage is followed by its end
        tell("ganstrata_stage_failed", name, seen, progress, error=error)
        raise
    tell("ganstrata_stage_finished", name, seen, progress)
