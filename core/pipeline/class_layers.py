"""Compare where an extractor reads classes with where a run moves them, and write the result."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ..analyses.read_and_moved import check_answerable, read_and_moved, scorer_of_classes
from ..analyses.read_and_moved_result import INDEX, ReadAndMoved
from ..errors import MismatchError
from ..runs.lock import results_of
from ..runs.progress import Progress
from ..semantics.learning.folder import open_segmentation
from ..semantics.measuring.evaluation import evaluate
from ..semantics.measuring.evaluation_page import trained_layerwise
from ..semantics.measuring.quality import quality_of
from ..semantics.record import record_of
from ..storage.result_folder import replace_folder
from .results import open_run


def class_layers(
    folder: Path,
    run_dir: Path,
    out: Path,
    *,
    images: int,
    scorer: str | None = None,
    device: str | None = None,
    progress: Progress | None = None,
) -> ReadAndMoved:
    """Say of each class of an extractor where it is read and where it is moved, and write the result.

    Args:
        folder: finished segmentation folder of LSE or NSE-1.
        run_dir: re-scored run of the same generator, with single layers.
        out: folder of the results, new, empty, or of an earlier call.
        images: number of new pictures for the IoU of strata.
        scorer: alias of the run's scorer whose concepts are the classes; None for the only one.
        device: device to compute on; None for that of the folder's config.
        progress: where progress is shown; nowhere by default.

    Raises:
        UserError: folder, run and options do not fit each other, or `out` holds other files; nothing was
            written.
    """
    progress = progress or Progress(quiet=True)
    with results_of(out, INDEX, "ganstrata segment layers"):
        found = _compared(folder, run_dir, images, scorer, device, progress)
        replace_folder(out, INDEX, found.files())
    return found


def _compared(
    folder: Path, run_dir: Path, images: int, scorer: str | None, device: str | None, progress: Progress
) -> ReadAndMoved:
    """Compare what `class_layers` writes."""
    run = open_run(run_dir)
    effects, learnt = run.effects, run.boundaries
    subject, extractor = open_segmentation(folder, device, progress)
    theirs, ours = run.record.generator.fingerprint, subject.generator.fingerprint
    if theirs != ours:
        raise MismatchError(
            f"{folder} and {run_dir} are of different generators: the latent spaces are {ours} and {theirs}. "
            "Give a run of the generator that the extractor reads"
        )
    alias = scorer_of_classes(extractor.classes, [c.id for c in effects.concepts], scorer)
    samples = replace(subject.samples, strata=extractor.strata)
    check_answerable(extractor, effects)
    name = folder.resolve().name
    with progress.stage("read", total=images) as done:
        evaluation = evaluate(samples, {name: extractor}, images, progress=done)
    quality = quality_of(evaluation, seed=samples.seed)
    return ReadAndMoved(
        rows=read_and_moved(evaluation, quality, subject.generator.strata, effects, learnt.skipped, alias),
        layers=subject.generator.card.layers,
        extractor=name,
        head=extractor.architecture.head,
        layerwise=trained_layerwise(extractor.facts),
        images=images,
        run=str(run_dir),
        scorer=alias,
        step=effects.step,
        record=record_of(subject, {name: extractor}),
    )
