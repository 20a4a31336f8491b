"""Run analyses of finished runs and write their results."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..analyses import objects as objects_of
from ..analyses.ablation_result import ablation
from ..analyses.entanglement_result import entanglement
from ..analyses.hierarchy_result import hierarchy
from ..analyses.labelled_runs import LabelledRun, labels_of
from ..analyses.objects_record import Objects
from ..analyses.plugin_result import PRINTED, check_result
from ..analyses.ranking_result import ranking
from ..analyses.request import AnalysisRequest
from ..analyses.result import AnalysisResult
from ..analyses.right_layers_result import layers
from ..errors import ConfigError, Fault, RunError, UserError
from ..plugins.analysis import Analysis
from ..plugins.registry import registry
from ..report.stage import report, shown_scores
from ..rescoring.stored_effects import read_effects
from ..runs.loading import build
from ..runs.lock import locked, results_of
from ..runs.progress import Progress
from ..runs.run import Run
from ..runs.session import check_takes_results, open_finished_run
from ..runs.stages import Stage
from ..storage.result_folder import replace_folder
from .results import open_run

OF_ONE_RUN = {"entanglement": entanglement, "ablation": ablation}
OF_SEVERAL_RUNS = {"ranking": ranking, "hierarchy": hierarchy}
NEEDED: tuple[Stage, ...] = ("synthesize", "learn", "rescore")


def analyse_run(
    path: Path,
    request: AnalysisRequest,
    analyse: Callable[[LabelledRun, AnalysisRequest], AnalysisResult],
    name: str,
) -> tuple[AnalysisResult, Path]:
    """Analyse one run and write the result. No network is loaded.

    Args:
        path: the run directory.
        request: what to analyse.
        analyse: the analysis.
        name: name of the analysis; the result goes to analysis/NAME of the run by default.

    Returns:
        The result, and the folder it was written to.

    Raises:
        GanstrataError: the request does not fit the run; then nothing is written.
    """
    return analyse_runs([path], request, lambda runs, request: analyse(runs[0], request), name)


def analyse_runs(
    paths: Sequence[Path],
    request: AnalysisRequest,
    analyse: Callable[[Sequence[LabelledRun], AnalysisRequest], AnalysisResult],
    name: str,
) -> tuple[AnalysisResult, Path]:
    """Analyse one run, or several runs together, and write the result.

    Args:
        paths: run directories.
        request: what to analyse.
        analyse: the analysis.
        name: name of the analysis.

    Returns:
        The result, and the folder it was written to.

    Raises:
        GanstrataError: as for `analyse_run`; or there are several runs and no folder to write to.
    """
    if len({path.resolve() for path in paths}) < len(paths):
        raise UserError("the same run is named twice")
    if len(paths) > 1 and request.out is None:
        raise UserError(f"{len(paths)} runs: give --out FOLDER, the folder for their common figure")
    target = paths[0] / "analysis" / name if request.out is None else request.out
    if request.out is not None:
        with results_of(target, f"{name}.json", f"analysis {name}"):
            return _analyse(paths, request, analyse, target)
    Run.open(paths[0])  # checks that it is a run: `locked` would create the directory
    check_takes_results(paths[0])
    with locked(paths[0]):
        return _analyse(paths, request, analyse, target)


def analyse_named(name: str, paths: Sequence[Path], request: AnalysisRequest) -> tuple[AnalysisResult, Path]:
    """Do the same as `analyse_run` or `analyse_runs` for an analysis of OF_ONE_RUN or OF_SEVERAL_RUNS."""
    if name in OF_SEVERAL_RUNS:
        return analyse_runs(paths, request, OF_SEVERAL_RUNS[name], name)
    return analyse_run(paths[0], request, OF_ONE_RUN[name], name)


def analyse_layers(
    path: Path, request: AnalysisRequest, *, progress: Progress
) -> tuple[AnalysisResult, Path]:
    """Compare right and wrong layers of one run. A result within the run becomes a chapter of the report.

    Raises:
        GanstrataError: the request does not fit the run; then nothing is written.
    """
    if request.out is not None:
        return analyse_run(path, request, layers, "layers")
    with open_finished_run(path, progress=progress) as finished:
        run, engine = finished.run, finished.engine
        source = LabelledRun(labels_of([path])[0], run, read_effects(run))
        shown_scores(run, engine.prepared)  # the report reads them: nothing is written if they are damaged
        result = layers(source, request)
        replace_folder(path / "analysis/layers", "layers.json", result.files([source]))
        report(run, engine, progress, differences=finished.differences)
    return result, path / "analysis/layers"


def objects(path: Path, request: objects_of.TransitionRequest, *, progress: Progress) -> Objects:
    """Write analysis/objects/ of a finished run, and its report again.

    Raises:
        GanstrataError: the request does not fit the run; then nothing is written.
    """
    with open_finished_run(path, request.device, progress=progress) as finished:
        run, engine = finished.run, finished.engine
        # The report reads both: nothing is written if they are damaged.
        effects = read_effects(run)
        shown_scores(run, engine.prepared)
        result = objects_of.follow_objects(finished, request, effects, progress=progress)
        report(run, engine, progress, differences=finished.differences)
    return result


def analyse_with_plugin(
    name: str, path: Path, options: Mapping[str, Any], *, out: Path | None = None, device: str = "auto"
) -> tuple[AnalysisResult, Path]:
    """Analyse one run with a plugin and write the result.

    Args:
        name: the registered name of the analysis.
        path: the run directory.
        options: the plugin's config.
        out: folder to write; None for analysis/NAME in the run.
        device: auto, cpu, cuda or cuda:N.

    Raises:
        GanstrataError: there is no such analysis, it refuses the run or fails, or its result cannot be
            written; then nothing is written.
    """
    info = registry().info("analysis", name)
    try:
        plugin = build("analysis", name, options, device=device)
    except ConfigError as error:
        faults = [_as_set(fault) for fault in error.faults]
        raise ConfigError(f"options of analysis '{name}'", faults) from error
    assert isinstance(plugin, Analysis)

    def analyse(source: LabelledRun, _: AnalysisRequest) -> AnalysisResult:
        result = check_result(plugin.analyse(open_run(source.run.path)), name, info.owner)
        printed = {PRINTED: result.table} if result.table.columns else {}
        return replace(
            result,
            name=name,
            tables={**printed, **result.tables},
            request=plugin.config.model_dump(mode="json"),
            distribution=info.distribution,
        )

    return analyse_run(path, AnalysisRequest(out=out), analyse, name)


def _as_set(fault: Fault) -> Fault:
    """Return the fault of an option with the place where it was given: `--set top`, not `with -> top`."""
    key = ".".join(str(part) for part in fault.path[1:])
    return Fault((f"--set {key}" if key else "--set",), fault.message)


def _analyse(
    paths: Sequence[Path],
    request: AnalysisRequest,
    analyse: Callable[[Sequence[LabelledRun], AnalysisRequest], AnalysisResult],
    target: Path,
) -> tuple[AnalysisResult, Path]:
    """Read the effects of these runs, analyse them, and write the result to a folder."""
    runs = []
    for label, path in zip(labels_of(paths), paths, strict=True):
        run = Run.open(path)
        run.require(*NEEDED)
        runs.append(LabelledRun(label, run, read_effects(run)))
        if Run.open(path).manifest != run.manifest:  # it is not locked if another folder is written
            raise RunError(f"{path} was changed by another process meanwhile; give the command again")
    result = analyse(runs, request)
    replace_folder(target, f"{result.name}.json", result.files(runs))
    return result, target
