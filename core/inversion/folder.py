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
from .keys import key_of, provenance_of
from .page import PAGE, inversion_page
from .parts import PARTS, PICTURES, Part, discard_part, picture_names, read_part, write_part
from .work import Task, compute

WHAT = "folder of inverted pictures"
FORMAT = 1


def invert_into(task: Task, out: Path, progress: Progress | None = None) -> tuple[Part, ...]:
    """Invert pictures into a folder.

    Args:
        task: what is to be done.
        out: the folder: new, empty, or of the same command.
        progress: where progress is shown; nowhere by default.

    Raises:
        RunError: the folder holds something else, or pictures of another command; or is in use.
        GanstrataError: see `invert_all`. The pictures that are done are kept.
    """
    progress = progress or Progress(quiet=True)
    provenance = provenance_of(task.method)
    with locked(out, INDEX, WHAT), _begun_or_gone(out):
        old = _index_of(out)
        if old is not None:
            _check_same(out, old, task)
        keys = [key_of(provenance, one, i) for i, one in enumerate(task.given)]
        parts = _read(task, out, keys)
        if (
            old is not None
            and old.get("finished") is True
            and None not in parts
            and not faults_of(out, INDEX)
        ):
            progress.say(f"{out}: {quantity(len(parts), 'picture')} already there, of the same command")
            return _all_there(parts)
        write_bytes(out / INDEX, index_text(_record(task, provenance, [], finished=False), {}))
        _compute(task, out, keys, parts, progress)
        parts = _read(task, out, keys)
        _finish(task, out, provenance, _all_there(parts))
    return _all_there(parts)


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


def _check_same(out: Path, old: Mapping[str, object], task: Task) -> None:
    """Refuse a folder of another command.

    Raises:
        RunError: the message says what differs.
    """
    before = old.get("command")
    before = before if isinstance(before, Mapping) else {}
    differences = differing({"command": before}, {"command": task.command})
    if differences:
        words = listed([text.removeprefix("command.") for text in differences], 4)
        raise RunError(
            f"{out} holds pictures of another command: {words}. Give another --out, or remove this folder"
        )


def _read(task: Task, out: Path, keys: Sequence[str]) -> list[Part | None]:
    return [
        read_part(out, key, one.name, task.method.generator)
        for key, one in zip(keys, task.given, strict=True)
    ]


def _all_there(parts: Sequence[Part | None]) -> tuple[Part, ...]:
    """Return the parts, all of which are there.

    Raises:
        RunError: one is not, because somebody else writes into the folder.
    """
    there = tuple(part for part in parts if part is not None)
    if len(there) < len(parts):
        raise RunError(
            "what was written a moment ago is not there any more: something else writes into the folder. "
            "Run the same command again, alone"
        )
    return there


def _compute(
    task: Task, out: Path, keys: Sequence[str], parts: Sequence[Part | None], progress: Progress
) -> None:
    """Invert the pictures that are not there, and write each batch when it is done."""
    method = task.method
    todo = [i for i, part in enumerate(parts) if part is None]
    for i in todo:
        discard_part(out, task.given[i].name)

    def keep(position: int, found: Inverted) -> None:
        i = todo[position]
        write_part(out, keys[i], task.given[i], i, found, method.generator)

    compute(task, todo, keep, progress)


def _finish(task: Task, out: Path, provenance: JsonObject, parts: Sequence[Part]) -> None:
    """Write codes, page and, last of all, the index, which says that the folder is finished."""
    method, names = task.method, [one.name for one in task.given]
    codes = codes_bytes(
        joined([part.inversion for part in parts]),
        torch.arange(len(names)),
        names,
        generator=method.generator.fingerprint,
        seed=method.seed,
    )
    files = {CODES: codes, PAGE: inversion_page(task, parts, out).encode()}
    for name, content in files.items():
        write_bytes(out / name, content)
    others = {name: digest for part in parts for name, digest in part.files.items()}
    record = _record(task, provenance, parts, finished=True)
    write_bytes(out / INDEX, index_text(record, files, others))


def _record(task: Task, provenance: JsonObject, parts: Sequence[Part], *, finished: bool) -> JsonObject:
    """Return what the index says."""
    method, card = task.method, task.method.generator.card
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
            "measures": dict(part.measures),
            "losses": {
                step: [float(losses[0]), float(losses[-1])] for step, losses in part.curves if len(losses)
            },
            "seconds": round(part.seconds, 3),
        }
        for i, (one, part) in enumerate(zip(task.given, parts, strict=False))
    ]
    return {
        "format": FORMAT,
        "finished": finished,
        "kind": task.kind,
        "command": task.command,
        "generator": method.generator.fingerprint,
        "model": card.source,
        "family": card.family,
        "truncation": card.truncation,
        "distance": method.rule.name,
        "seed": method.seed,
        "provenance": provenance,
        "notes": list(task.notes),
        "pictures": pictures,
    }
