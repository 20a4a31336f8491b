"""Stage 1: sample latents, synthesise images, score them (method A.1). Images are not kept."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from ..counts import floor_share
from ..errors import PictureError
from ..plugins.records import Latents, Rendering
from ..plugins.scoring import checked_extras, checked_scores
from ..randomness import Stream
from ..runs.engine import Engine
from ..runs.prepare import Prepared
from ..runs.progress import Progress
from ..runs.provenance.keys import Keys
from ..runs.run import Run
from ..storage.shards import Shards
from .concept_stats import summarise
from .samples import classes_of

SHARD = 512  # samples in a piece, about: enough to make files few, little enough to lose


def open_samples(run: Run) -> Shards:
    """The arrays of this stage."""
    return Shards(run.path / "samples.zarr")


def shard_size(batch: int) -> int:
    """Samples in a piece: whole batches."""
    return batch * -(-SHARD // batch)


LATENTS = ""  # in place of a scorer's alias: w, index, condition and codes


class Piece(NamedTuple):
    """Samples start .. stop, and the marks of whose arrays lack them: of aliases of scorers, or LATENTS."""

    start: int
    stop: int
    marks: tuple[tuple[str, str], ...]


def synthesize(run: Run, engine: Engine, progress: Progress) -> None:
    """Fill samples.zarr: w (N, D), index (N,), condition, codes if mixed, scores/<alias> (N, C).

    What one scorer gives is kept by itself: a scorer that is added to a run, or changed, scores the
    same samples again, and the scores of the others stay.
    """
    prepared = engine.prepared
    n = prepared.config.synthesis.samples
    samples = open_samples(run)
    samples.create(_layout(prepared, n, shard_size(prepared.batch)), run.keys.latents)
    missing = _missing(run, prepared)
    with progress.stage(
        "synthesize", total=n, done=n - sum(piece.stop - piece.start for piece in missing)
    ) as step:
        for count in engine.map(_shard, [(str(run.path), piece) for piece in missing]):
            step(count)
        finite = read_finite(run, prepared)
        nonfinite = int((~finite).sum())
        _check_share(prepared, finite)
        tables = summarise(
            prepared, read_scores(run, prepared)[finite], read_latents(run, prepared)[0][finite]
        )
    run.record.spread, run.record.concepts = tables
    run.finish("synthesize", seconds=step.seconds, files=("samples.zarr",), images=n, nonfinite=nonfinite)


def is_complete(run: Run, prepared: Prepared) -> bool:
    """Whether all samples and scores are there, as they were written."""
    return run.is_done("synthesize") and not _missing(run, prepared)


def _missing(run: Run, prepared: Prepared) -> list[Piece]:
    n, size = prepared.config.synthesis.samples, shard_size(prepared.batch)
    samples = open_samples(run)
    found = []
    for start in range(0, n, size):
        stop = min(start + size, n)
        marks = {owner: _mark(run.keys, owner, start, stop) for owner in (LATENTS, *prepared.scorers)}
        lacking = tuple((owner, mark) for owner, mark in marks.items() if not samples.is_whole(mark))
        if lacking:
            found.append(Piece(start, stop, lacking))
    return found


def _mark(keys: Keys, owner: str, start: int, stop: int) -> str:
    """Names a finished piece; with the key of its scores, so that those of anything else are no longer known."""
    piece = f"{start:09d}-{stop:09d}"
    return piece if owner == LATENTS else f"{owner}-{keys.scores[owner]}-{piece}"


def read_latents(run: Run, prepared: Prepared) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """W (N, D), and codes (N, L, D) where samples were mixed."""
    samples = open_samples(run)
    return samples.read("w"), samples.read("codes") if prepared.config.synthesis.mixing > 0.0 else None


def read_scores(run: Run, prepared: Prepared) -> NDArray[np.float32]:
    """Scores of all concepts, (N, C), columns as in prepared.concepts."""
    samples = open_samples(run)
    return np.concatenate([samples.read(f"scores/{alias}") for alias in prepared.scorers], axis=1)


def read_classes(run: Run, prepared: Prepared) -> NDArray[np.int64] | None:
    """The class of every sample (N,), where a conditional generator draws several; None elsewhere."""
    if "condition" not in _layout(prepared, 1, 1):
        return None
    return classes_of(open_samples(run).read("condition"))


def read_finite(run: Run, prepared: Prepared) -> NDArray[np.bool_]:
    """Which samples have a picture without NaN and infinity, (N,); all, where the config lets no others pass."""
    if prepared.config.synthesis.allow_nonfinite == 0.0:
        return np.ones(prepared.config.synthesis.samples, dtype=np.bool_)
    return np.asarray(open_samples(run).read("finite"), dtype=np.bool_)


def _check_share(prepared: Prepared, finite: NDArray[np.bool_]) -> None:
    """Refuse samples of which more are not finite than the config allows.

    Raises:
        PictureError: with the first of them, and where it began.
    """
    allowed, lost = prepared.config.synthesis.allow_nonfinite, np.flatnonzero(~finite)
    most = floor_share(allowed, len(finite))
    if len(lost) <= most and len(lost) < len(finite):
        return
    start = int(lost[0]) // prepared.batch * prepared.batch
    latents, _, codes = prepared.draw(start, Stream.PROBING)
    said = f"{len(lost)} of {len(finite)} pictures are not finite; synthesis.allow_nonfinite: {allowed:g} allows {most}"
    try:
        prepared.render(codes, latents.condition, latents.index, Stream.PROBING, strict=True)
    except PictureError as error:
        raise PictureError(f"{said}. {error}") from None
    raise PictureError(f"{said}. The first is sample {lost[0]}, which is finite when it is made again")


@torch.inference_mode()
def _shard(prepared: Prepared, task: tuple[str, Piece]) -> int:
    """Compute what a piece lacks; returns how many samples it has."""
    path, (start, stop, marks) = task
    owners = [owner for owner, _ in marks]
    parts: dict[tuple[str, str], list[NDArray[Any]]] = {}
    # Batches lie on a fixed grid, and the last is full: every sample is computed in the same company
    # whatever the number of samples, so that its bytes do not depend on it.
    for begin in range(start, stop, prepared.batch):
        latents, w, codes = prepared.draw(begin, Stream.PROBING)
        rendering = None
        if owners != [LATENTS] or prepared.config.synthesis.allow_nonfinite > 0.0:
            rendering = prepared.render(codes, latents.condition, latents.index, Stream.PROBING).rendering
            rendering.index = latents.index
        for owner in owners:
            if owner == LATENTS:
                found = _latents(prepared, latents, w, codes, rendering)
            else:
                assert rendering is not None
                found = _scores(prepared, owner, rendering)
            for name, values in found.items():
                parts.setdefault((owner, name), []).append(values[: stop - begin])
    run = Run.open(path)
    for owner, mark in marks:
        arrays = {name: np.concatenate(values) for (whose, name), values in parts.items() if whose == owner}
        regions = {
            name: ((slice(start, stop), *(slice(0, size) for size in values.shape[1:])), values)
            for name, values in arrays.items()
        }
        open_samples(run).write(mark, regions)
    return stop - start


def _latents(
    prepared: Prepared, latents: Latents, w: torch.Tensor, codes: torch.Tensor, rendering: Rendering | None
) -> dict[str, NDArray[Any]]:
    found: dict[str, NDArray[Any]] = {"w": w.float().cpu().numpy(), "index": latents.index.cpu().numpy()}
    if latents.condition is not None:
        found["condition"] = latents.condition.cpu().numpy()
    if prepared.config.synthesis.mixing > 0.0:
        found["codes"] = codes.float().cpu().numpy()
    if prepared.config.synthesis.allow_nonfinite > 0.0:
        assert rendering is not None
        found["finite"] = (
            np.ones(len(w), np.bool_) if rendering.finite is None else rendering.finite.cpu().numpy()
        )
    return found


def _scores(prepared: Prepared, alias: str, rendering: Rendering) -> dict[str, NDArray[Any]]:
    scorer = prepared.scorers[alias]
    found: dict[str, NDArray[Any]] = {f"scores/{alias}": checked_scores(scorer, rendering)}
    if scorer.extras:
        found[f"extras/{alias}"] = checked_extras(scorer, rendering)
    return found


def _layout(prepared: Prepared, n: int, size: int) -> dict[str, tuple[tuple[int, ...], tuple[int, ...], str]]:
    card = prepared.generator.card
    chunk = min(size, n)
    arrays: dict[str, tuple[tuple[int, ...], tuple[int, ...], str]] = {
        "w": ((n, card.code_size), (chunk, card.code_size), "float32"),
        "index": ((n,), (chunk,), "int64"),
    }
    if prepared.config.synthesis.allow_nonfinite > 0.0:
        arrays["finite"] = ((n,), (chunk,), "bool")
    for alias, scorer in prepared.scorers.items():
        arrays[f"scores/{alias}"] = ((n, len(scorer.concepts)), (chunk, len(scorer.concepts)), "float32")
        if scorer.extras:
            arrays[f"extras/{alias}"] = ((n, len(scorer.extras)), (chunk, len(scorer.extras)), "float32")
    condition = prepared.generator.sample(1, 0, 0, Stream.PROBING).condition
    if condition is not None:
        tail = tuple(condition.shape[1:])
        arrays["condition"] = (
            (n, *tail),
            (chunk, *tail),
            "float32" if condition.is_floating_point() else "int64",
        )
    if prepared.config.synthesis.mixing > 0.0:
        arrays["codes"] = ((n, card.layers, card.code_size), (chunk, card.layers, card.code_size), "float32")
    return arrays
