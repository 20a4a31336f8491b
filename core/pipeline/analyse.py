"""From run directories and a question to an answer on disk: reading, refusing, and writing in one step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from ..analyses import objects as objects_of
from ..analyses.base import AnalysisRequest, Answer, LabelledRun, labels_of
from ..analyses.object_results import Objects
from ..analyses.right_layers import layers
from ..errors import UserError
from ..report.stage import report
from ..rescoring.stored import read_effects
from ..runs.progress import Progress
from ..runs.run import Run, locked
from ..runs.session import open_finished_run
from ..storage.result_folder import check_free, replace_folder

NEEDED = ("synthesize", "learn", "rescore")


def ask_one(
    path: Path, ask: AnalysisRequest, analyse: Callable[[LabelledRun, AnalysisRequest], Answer], name: str
) -> tuple[Answer, Path]:
    """Put a question to one run, and write what it found; no network is loaded.

    Returns:
        The answer, and the folder it was written to.

    Raises:
        GanstrataError: what was asked for does not fit the run; then nothing was written.
    """
    return ask_many([path], ask, lambda sources, question: analyse(sources[0], question), name)


def ask_many(
    paths: Sequence[Path],
    ask: AnalysisRequest,
    analyse: Callable[[Sequence[LabelledRun], AnalysisRequest], Answer],
    name: str,
) -> tuple[Answer, Path]:
    """Put a question to one run or several at once.

    Raises:
        GanstrataError: as for one; or several runs without a folder to write to.
    """
    if len({path.resolve() for path in paths}) < len(paths):
        raise UserError("the same run is named twice")
    if len(paths) > 1 and ask.out is None:
        raise UserError(f"{len(paths)} runs: say with --out DIR where their common figure is to be written")
    target = paths[0] / "analysis" / name if ask.out is None else ask.out
    if ask.out is not None:
        check_free(target, f"{name}.json", f"analysis {name}")
        return _answered(paths, ask, analyse, target)
    Run.open(paths[0])  # a lock makes the directory that it locks
    with locked(paths[0]):
        return _answered(paths, ask, analyse, target)


def ask_layers(path: Path, ask: AnalysisRequest, *, progress: Progress) -> tuple[Answer, Path]:
    """Right and wrong layers of one run; written into the run, it becomes a chapter of the report.

    Raises:
        GanstrataError: what was asked for does not fit the run; then nothing was written.
    """
    if ask.out is not None:
        return ask_one(path, ask, layers, "layers")
    with open_finished_run(path) as (run, engine):
        source = LabelledRun(labels_of([path])[0], run, read_effects(run))
        found = layers(source, ask)
        replace_folder(path / "analysis/layers", "layers.json", found.files([source]))
        report(run, engine, progress)
    return found, path / "analysis/layers"


def objects(path: Path, ask: objects_of.TransitionRequest, *, progress: Progress) -> Objects:
    """Write analysis/objects/ of a finished run, and make its report anew.

    Raises:
        GanstrataError: what was asked for does not fit the run; then nothing was written.
    """
    with open_finished_run(path, ask.device) as (run, engine):
        found = objects_of.follow_objects(run, engine, ask, progress=progress)
        report(run, engine, progress)
    return found


def _answered(
    paths: Sequence[Path],
    ask: AnalysisRequest,
    analyse: Callable[[Sequence[LabelledRun], AnalysisRequest], Answer],
    target: Path,
) -> tuple[Answer, Path]:
    sources = []
    for label, path in zip(labels_of(paths), paths, strict=True):
        run = Run.open(path)
        run.require(*NEEDED)
        sources.append(LabelledRun(label, run, read_effects(run)))
    found = analyse(sources, ask)
    replace_folder(target, f"{found.name}.json", found.files(sources))
    return found, target
