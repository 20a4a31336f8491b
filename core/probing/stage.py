"""Run stage 1, `synthesize`: draw latents, synthesise images and score them (method A.1)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from ..errors import PictureError
from ..plugins.pending import Pending, fetched, one_late, together
from ..plugins.records import Latents, Rendering
from ..plugins.scoring import begin_extras, begin_scores
from ..randomness import Stream
from ..rounding import floor_share
from ..runs.engines.run_engine import RunEngine
from ..runs.prepare import Prepared
from ..runs.progress import Progress
from ..runs.provenance.keys import Keys
from ..runs.run import Run
from ..storage.background import Background
from ..storage.chunks import ArrayLayout
from ..storage.rows import JoinedColumns, Rows, StoredRows, with_rows
from ..storage.shards import Shards
from ..strata.first_batch import taken
from .concept_stats import summarise
from .samples import classes_of
from .styles import StyleRows

SHARD, LARGEST_SHARD = 512, 4096  # approximate samples in a shard: few files, and little is lost by a kill
FEWEST_SHARDS = 256  # from which shards are larger than SHARD: each worker of many still has several
SHARD_PIXELS = 2**28  # of all pictures of a shard: some seconds of a large GPU, some minutes of a CPU's core
SHARD_BYTES = 2**26  # of a shard in one array
TOGETHER = 4  # most shards in a task on an accelerator: all but the last are written while it computes
FEWEST_TASKS = 4  # of each worker, so that none waits long for another at the end


def open_samples(run: Run) -> Shards:
    """Return the arrays of this stage."""
    return run.arrays("samples.zarr")


def shard_size(prepared: Prepared, grid: int) -> int:
    """Return the number of samples in a shard: whole batches.

    A shard is the work that a kill loses, once per worker, and a few files. The size follows from the config
    alone, so that a run has the same files whatever machines work on it.

    Args:
        prepared: the run's plugins and settings.
        grid: of the run, see Manifest; early runs have SHARD samples in a shard.
    """
    size, card = SHARD, prepared.generator.card
    if grid > 1:
        row = card.code_size * (card.layers if prepared.config.synthesis.mixing > 0.0 else 1)
        row = 4 * max(row, *(len(scorer.concepts) for scorer in prepared.scorers.values()))
        size = max(SHARD, prepared.config.synthesis.samples // FEWEST_SHARDS)
        pixels = card.height * card.width
        size = max(1, min(size, LARGEST_SHARD, SHARD_PIXELS // pixels, SHARD_BYTES // row))
    return prepared.batch * -(-size // prepared.batch)


_Arrays = dict[tuple[str, str], NDArray[Any]]  # by owner and name
LATENTS = ""  # owner of w, index, condition and codes; other owners are aliases of scorers


class Chunk(NamedTuple):
    """Hold samples start .. stop and the arrays that lack them.

    Attributes:
        start: first sample.
        stop: one past the last sample.
        marks: pairs of an owner (an alias, or LATENTS) and the mark of the finished chunk.
    """

    start: int
    stop: int
    marks: tuple[tuple[str, str], ...]


Task = tuple[str, Sequence[Chunk]]  # the run directory, and chunks


def synthesize(run: Run, engine: RunEngine, progress: Progress) -> None:
    """Fill samples.zarr: w (N, D), index (N,), condition, codes if mixed, scores/<alias> (N, C).

    Images are not stored. The scores of each scorer are stored separately, so a scorer that is added or
    changed scores the same samples again, and the scores of the other scorers stay.

    Raises:
        PictureError: more pictures are not finite than the config allows.
    """
    prepared = engine.prepared
    n = prepared.config.synthesis.samples
    samples = open_samples(run)
    samples.create(_layout(prepared, n, shard_size(prepared, run.grid)), run.keys.latents)
    missing = _missing(run, prepared)
    samples.discard(mark for chunk in missing for _, mark in chunk.marks)
    with progress.stage(
        "synthesize", total=n, done=n - sum(chunk.stop - chunk.start for chunk in missing)
    ) as step:
        for count in engine.map(_compute_chunks, _tasks(run, missing, engine)):
            step(count)
        finite = read_finite(run, prepared)
        nonfinite = int((~finite).sum())
        _check_share(prepared, finite)
        taken(prepared, prepared.memory)  # where other processes have made it
        statistics = summarise(prepared, stored_scores(run, prepared), stored_latents(run, prepared)[0])
    run.record.spread, run.record.concepts = statistics
    run.finish("synthesize", seconds=step.seconds, files=("samples.zarr",), images=n, nonfinite=nonfinite)


def is_complete(run: Run, prepared: Prepared) -> bool:
    """Return whether all samples and scores are stored and unchanged."""
    return run.is_done("synthesize") and not _missing(run, prepared)


def is_untouched(run: Run, prepared: Prepared) -> bool:
    """Return whether nothing is stored of the samples and scores that run.json tells of."""
    owners = (LATENTS, *run.keys.scores)  # a scorer that was added since has no scores yet
    lacking = sum(len(chunk.marks) for chunk in _missing(run, prepared, owners))
    chunks = -(-prepared.config.synthesis.samples // shard_size(prepared, run.grid))
    return lacking == chunks * len(owners)


def _missing(run: Run, prepared: Prepared, owners: Sequence[str] | None = None) -> list[Chunk]:
    """Return the chunks that some array lacks, of these owners or of all that the run will have."""
    owners = (LATENTS, *prepared.scorers) if owners is None else owners
    n, size = prepared.config.synthesis.samples, shard_size(prepared, run.grid)
    chunks = [
        Chunk(
            start,
            min(start + size, n),
            tuple((owner, _mark(run.keys, owner, start, min(start + size, n))) for owner in owners),
        )
        for start in range(0, n, size)
    ]
    whole = open_samples(run).whole(mark for chunk in chunks for _, mark in chunk.marks)
    lacking = [
        chunk._replace(marks=tuple((owner, mark) for owner, mark in chunk.marks if mark not in whole))
        for chunk in chunks
    ]
    return [chunk for chunk in lacking if chunk.marks]


def _mark(keys: Keys, owner: str, start: int, stop: int) -> str:
    """Return the mark of a finished chunk.

    It contains the key of the scores, so that scores with another key do not count as finished.
    """
    chunk = f"{start:09d}-{stop:09d}"
    return chunk if owner == LATENTS else f"{owner}-{keys.scores[owner]}-{chunk}"


def stored_latents(run: Run, prepared: Prepared) -> tuple[Rows, Rows | None]:
    """Return w (N, D), and codes (N, L, D) where styles were mixed, of the samples with a finite picture."""
    mixed = prepared.config.synthesis.mixing > 0.0
    return _stored(run, prepared, "w"), _stored(run, prepared, "codes") if mixed else None


def stored_scores(run: Run, prepared: Prepared) -> Rows:
    """Return the scores of all concepts (N, C) of the samples with a finite picture.

    Columns are as in prepared.concepts.
    """
    return JoinedColumns([_stored(run, prepared, f"scores/{alias}") for alias in prepared.scorers])


def stored_styles(run: Run, prepared: Prepared) -> Rows:
    """Return the styles (N, S) of the samples with a finite picture, computed when they are read.

    Raises:
        UserError: the generator has no styles.
    """
    w, codes = stored_latents(run, prepared)
    condition = _stored(run, prepared, "condition") if open_samples(run).has("condition") else None
    return StyleRows(prepared.generator, w, codes, condition)


def _stored(run: Run, prepared: Prepared, name: str) -> Rows:
    """Return a stored array, without the samples whose picture is not finite."""
    stored = StoredRows(open_samples(run), name)
    if prepared.config.synthesis.allow_nonfinite == 0.0:
        return stored
    return with_rows(stored, np.flatnonzero(read_finite(run, prepared)))


def read_scores(run: Run, prepared: Prepared, rows: slice) -> NDArray[np.float32]:
    """Read the scores of all concepts of some samples, finite or not, (n, C)."""
    samples = open_samples(run)
    return np.concatenate([samples.read(f"scores/{alias}", (rows,)) for alias in prepared.scorers], axis=1)


def read_classes(run: Run, prepared: Prepared) -> NDArray[np.int64] | None:
    """Read the class of each sample with a finite picture (N,), or None without several classes."""
    layout = _layout(prepared, 1, 1)
    if "condition" not in layout or len(layout["condition"][0]) > 1:
        return None
    classes = classes_of(open_samples(run).read("condition"))
    return None if classes is None else classes[read_finite(run, prepared)]


def read_finite(run: Run, prepared: Prepared) -> NDArray[np.bool_]:
    """Read which samples have a finite picture (N,); all of them, unless the config allows others."""
    if prepared.config.synthesis.allow_nonfinite == 0.0:
        return np.ones(prepared.config.synthesis.samples, dtype=np.bool_)
    return np.asarray(open_samples(run).read("finite"), dtype=np.bool_)


def _check_share(prepared: Prepared, finite: NDArray[np.bool_]) -> None:
    """Check that no more pictures are not finite than the config allows.

    Raises:
        PictureError: there are more; the message names the first one and the stratum where it began.
    """
    allowed, lost = prepared.config.synthesis.allow_nonfinite, np.flatnonzero(~finite)
    most = floor_share(allowed, len(finite))
    if len(lost) <= most and len(lost) < len(finite):
        return
    start = int(lost[0]) // prepared.batch * prepared.batch
    latents, _, codes = prepared.draw(start, Stream.PROBING)
    summary = (
        f"{len(lost)} of {len(finite)} pictures are not finite; "
        f"synthesis.allow_nonfinite: {allowed:g} allows {most}"
    )
    try:
        prepared.render(codes, latents.condition, latents.index, Stream.PROBING, strict=True)
    except PictureError as error:
        raise PictureError(f"{summary}. {error}") from None
    raise PictureError(
        f"{summary}. The first is sample {lost[0]}, which is finite when it is synthesised again"
    )


def _tasks(run: Run, missing: Sequence[Chunk], engine: RunEngine) -> list[Task]:
    """Return the tasks of the workers: a chunk each, or several on an accelerator; see `_compute_chunks`."""
    together = 1
    if _on_accelerator(engine.prepared):
        together = max(1, min(TOGETHER, len(missing) // (FEWEST_TASKS * engine.workers)))
    return [(str(run.path), missing[i : i + together]) for i in range(0, len(missing), together)]


def _on_accelerator(prepared: Prepared) -> bool:
    return prepared.device.type != "cpu"


@torch.inference_mode()
def _compute_chunks(prepared: Prepared, task: Task) -> int:
    """Compute and store the arrays that some chunks lack. Return their number of samples.

    On an accelerator a chunk is written while the next one is computed. On the CPU the thread that writes
    would take the time from those that compute.
    """
    path, chunks = task
    with Background(alone=not _on_accelerator(prepared)) as background:
        for chunk, parts in _computed(prepared, chunks):
            background(_write, path, chunk, parts)
    return sum(chunk.stop - chunk.start for chunk in chunks)


def _computed(
    prepared: Prepared, chunks: Sequence[Chunk]
) -> Iterator[tuple[Chunk, dict[tuple[str, str], list[NDArray[Any]]]]]:
    """Yield each chunk with the arrays that it lacks, in batches, by their owner and name."""
    # Batches lie on a fixed grid, and the last one is full: a sample is always computed in the same batch,
    # so its bytes do not depend on the number of samples.
    begun = (
        ((chunk, begin), _begin_batch(prepared, begin, [owner for owner, _ in chunk.marks]))
        for chunk in chunks
        for begin in range(chunk.start, chunk.stop, prepared.batch)
    )
    for chunk, batches in groupby(one_late(begun), key=lambda item: item[0][0]):
        parts: dict[tuple[str, str], list[NDArray[Any]]] = {}
        for (_, begin), computed in batches:
            for place, values in computed.items():
                parts.setdefault(place, []).append(values[: chunk.stop - begin])
        yield chunk, parts


def _write(path: str, chunk: Chunk, parts: Mapping[tuple[str, str], Sequence[NDArray[Any]]]) -> None:
    """Write the arrays that a chunk lacks, each owner's with its mark."""
    run = Run.open(path)
    for owner, mark in chunk.marks:
        arrays = {name: np.concatenate(values) for (of, name), values in parts.items() if of == owner}
        regions = {
            name: ((slice(chunk.start, chunk.stop), *(slice(0, size) for size in values.shape[1:])), values)
            for name, values in arrays.items()
        }
        open_samples(run).write(mark, regions)


def _begin_batch(prepared: Prepared, begin: int, owners: Sequence[str]) -> Pending[_Arrays]:
    """Render and score a batch; return its arrays, by their owner and name, without waiting for them."""
    first = taken(prepared, prepared.memory) if begin == 0 else None
    if first is not None:
        latents, w, codes = first.latents, first.w, first.codes
    else:
        latents, w, codes = prepared.draw(begin, Stream.PROBING)
    parts: dict[tuple[str, str], Pending[NDArray[Any]]] = {}
    rendering = None if first is None else first.rendering
    is_read = list(owners) != [LATENTS] or prepared.config.synthesis.allow_nonfinite > 0.0
    if rendering is None and is_read:
        passed = prepared.render(codes, latents.condition, latents.index, Stream.PROBING, late=True)
        rendering = passed.rendering
        rendering.index = latents.index
    for owner in owners:
        if owner == LATENTS:
            tensors = _latents(prepared, latents, w, codes, rendering)
            parts |= {(owner, name): fetched(tensor) for name, tensor in tensors.items()}
        else:
            assert rendering is not None
            scorer = prepared.scorers[owner]
            parts[owner, f"scores/{owner}"] = begin_scores(scorer, rendering)
            if scorer.extras:
                parts[owner, f"extras/{owner}"] = begin_extras(scorer, rendering)
    arrived = together(list(parts.values()))
    return Pending(lambda: dict(zip(parts, arrived.result(), strict=True)), at_once=arrived.at_once)


def _latents(
    prepared: Prepared, latents: Latents, w: torch.Tensor, codes: torch.Tensor, rendering: Rendering | None
) -> dict[str, torch.Tensor]:
    """Return the tensors of one batch that belong to LATENTS, by the name of their array."""
    tensors = {"w": w.float(), "index": latents.index}
    if latents.condition is not None:
        tensors["condition"] = latents.condition
    if prepared.config.synthesis.mixing > 0.0:
        tensors["codes"] = codes.float()
    if prepared.config.synthesis.allow_nonfinite > 0.0:
        assert rendering is not None
        everything = torch.ones(len(w), dtype=torch.bool)
        tensors["finite"] = everything if rendering.finite is None else rendering.finite
    return tensors


def _layout(prepared: Prepared, n: int, size: int) -> dict[str, ArrayLayout]:
    """Return how each array is stored for n samples in shards of `size`."""
    card = prepared.generator.card
    rows: dict[str, tuple[tuple[int, ...], str]] = {  # the shape of one sample
        "w": ((card.code_size,), "float32"),
        "index": ((), "int64"),
    }
    if prepared.config.synthesis.allow_nonfinite > 0.0:
        rows["finite"] = ((), "bool")
    for alias, scorer in prepared.scorers.items():
        rows[f"scores/{alias}"] = ((len(scorer.concepts),), "float32")
        if scorer.extras:
            rows[f"extras/{alias}"] = ((len(scorer.extras),), "float32")
    condition = prepared.generator.sample(1, 0, 0, Stream.PROBING).condition
    if condition is not None:
        rows["condition"] = (
            tuple(condition.shape[1:]),
            "float32" if condition.is_floating_point() else "int64",
        )
    if prepared.config.synthesis.mixing > 0.0:
        rows["codes"] = ((card.layers, card.code_size), "float32")
    return {name: ArrayLayout((n, *row), (min(size, n), *row), dtype) for name, (row, dtype) in rows.items()}
