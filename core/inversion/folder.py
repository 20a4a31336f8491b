"""Invert pictures into a folder: what is done is kept, and the same command goes on where it stopped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch

from ..errors import RunError
from ..messages import listed, quantity
from ..runs.begin import differing
from ..runs.inversion_file import codes_bytes
from ..runs.inversion_rows import joined
from ..runs.inversions import CODES, INDEX, WEIGHTS
from ..runs.lock import locked
from ..runs.progress import Progress
from ..storage.disk import remove, write_bytes
from ..storage.json_values import JsonObject
from ..storage.result_folder import faults_of, index_text, read_index
from .invert import Inverted
from .job import InversionJob, run_job
from .keys import key_of, provenance_of
from .page import PAGE, inversion_page
from .results import PARTS, PICTURES, PictureResult, discard_result, picture_names, read_result, write_result

WHAT = "folder of inverted pictures"
FORMAT = 1


def invert_into(job: InversionJob, out: Path, progress: Progress | None = None) -> tuple[PictureResult, ...]:
    """Invert pictures into a folder.

    Args:
        job: what is to be done.
        out: the folder: new, empty, or of the same command.
        progress: where progress is shown; nowhere by default.

    Raises:
        RunError: the folder holds something else, or pictures of another command; or is in use.
        GanstrataError: see `invert_all`. The pictures that are done are kept.
    """
    progress = progress or Progress(quiet=True)
    provenance = provenance_of(job.method)
    with locked(out, INDEX, WHAT), _begun_or_gone(out):
        old = _index_of(out)
        if old is not None:
            _check_same(out, old, job)
        keys = [key_of(provenance, one, i) for i, one in enumerate(job.targets)]
        results = _read(job, out, keys)
        if (
            old is not None
            and old.get("finished") is True
            and None not in results
            and not faults_of(out, INDEX)
        ):
            progress.say(f"{out}: {quantity(len(results), 'picture')} already there, of the same command")
            return _all_there(results)
        write_bytes(out / INDEX, index_text(_record(job, provenance, [], finished=False), {}))
        _compute(job, out, keys, results, progress)
        results = _read(job, out, keys)
        _finish(job, out, provenance, _all_there(results))
    return _all_there(results)


@contextmanager
def _begun_or_gone(out: Path) -> Iterator[None]:
    """Take away an index that was written inside the block, if that fails before any picture is done."""
    before = (out / INDEX).exists()
    try:
        yield
    except BaseException:
        if not before and not any((out / PARTS).glob("*.json")):
            for name in (PARTS, PICTURES, WEIGHTS, INDEX):
                remove(out / name)
        raise


def _index_of(out: Path) -> Mapping[str, object] | None:
    """Return the index of a folder; None if there is none, or a damaged one, which is written again."""
    try:
        return read_index(out / INDEX)
    except (OSError, ValueError):
        return None


def _check_same(out: Path, old: Mapping[str, object], job: InversionJob) -> None:
    """Refuse a folder of another command.

    Raises:
        RunError: the message says what differs.
    """
    before = old.get("command")
    before = before if isinstance(before, Mapping) else {}
    differences = differing({"command": before}, {"command": job.command})
    if differences:
        words = listed([text.removeprefix("command.") for text in differences], 4)
        raise RunError(
            f"{out} holds pictures of another command: {words}. Give another --out, or remove this folder"
        )


def _read(job: InversionJob, out: Path, keys: Sequence[str]) -> list[PictureResult | None]:
    return [
        read_result(out, key, one.name, job.method.generator)
        for key, one in zip(keys, job.targets, strict=True)
    ]


def _all_there(results: Sequence[PictureResult | None]) -> tuple[PictureResult, ...]:
    """Return the parts, all of which are there.

    Raises:
        RunError: one is not, because somebody else writes into the folder.
    """
    there = tuple(result for result in results if result is not None)
    if len(there) < len(results):
        raise RunError(
            "what was written a moment ago is not there any more: something else writes into the folder. "
            "Run the same command again, alone"
        )
    return there


def _compute(
    job: InversionJob,
    out: Path,
    keys: Sequence[str],
    results: Sequence[PictureResult | None],
    progress: Progress,
) -> None:
    """Invert the pictures that are not there, and write each batch when it is done."""
    method = job.method
    todo = [i for i, result in enumerate(results) if result is None]
    for i in todo:
        discard_result(out, job.targets[i].name)

    def keep(position: int, found: Inverted) -> None:
        i = todo[position]
        write_result(out, keys[i], job.targets[i], i, found, method.generator)

    run_job(job, todo, keep, progress)


def _finish(job: InversionJob, out: Path, provenance: JsonObject, results: Sequence[PictureResult]) -> None:
    """Write codes, page and, last of all, the index, which says that the folder is finished."""
    method, names = job.method, [one.name for one in job.targets]
    codes = codes_bytes(
        joined([result.inversion for result in results]),
        torch.arange(len(names)),
        names,
        generator=method.generator.fingerprint,
        seed=method.seed,
    )
    files = {CODES: codes, PAGE: inversion_page(job, results, out).encode()}
    for name, content in files.items():
        write_bytes(out / name, content)
    others = {name: digest for result in results for name, digest in result.files.items()}
    record = _record(job, provenance, results, finished=True)
    write_bytes(out / INDEX, index_text(record, files, others))


def _record(
    job: InversionJob, provenance: JsonObject, results: Sequence[PictureResult], *, finished: bool
) -> JsonObject:
    """Return what the index says."""
    method, card = job.method, job.method.generator.card
    pictures = [
        {
            "name": one.name,
            "file": one.source,
            "sha256": one.sha256,
            "index": i,
            **one.facts,
            "notes": list(one.notes),
            "target": picture_names(one.name)[0],
            "picture": picture_names(one.name)[1],
            "measures": dict(result.measures),
            "losses": {
                step: [float(losses[0]), float(losses[-1])] for step, losses in result.curves if len(losses)
            },
            "seconds": round(result.seconds, 3),
        }
        for i, (one, result) in enumerate(zip(job.targets, results, strict=False))
    ]
    return {
        "format": FORMAT,
        "finished": finished,
        "kind": job.kind,
        "command": job.command,
        "generator": method.generator.fingerprint,
        "model": card.source,
        "family": card.family,
        "truncation": card.truncation,
        "distance": method.rule.name,
        "seed": method.seed,
        "provenance": provenance,
        "notes": list(job.notes),
        "pictures": pictures,
    }
