"""Keep the state of an unfinished training beside the file that it makes, and write what is made.

While a training lasts, FILE.training/ holds what it was begun with (training.json) and its state. At the end
there are FILE, its card FILE.md and its log FILE.csv, with the ending of FILE left out.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from pathlib import Path

from ...errors import GanstrataError, RunError
from ...messages import UPGRADE, listed, visible
from ...runs.begin import differing
from ...runs.lock import locked
from ...storage.csv_tables import csv_text
from ...storage.disk import content_hash, read_bytes, remove, write_bytes, write_text
from ...storage.json_values import JsonObject
from ...storage.seal import read_sealed, sealed_text
from .card import card_of
from .encoder_file import encoder_bytes
from .learn import COLUMNS, Learnt

INDEX = "training.json"
STATE = "state.safetensors"
RESULT = "result"  # key of the SHA-256 of the file that a training is about to write
FORMAT = 1
WHAT = "folder of an encoder's training"
ENDING = ".safetensors"


def folder_of(out: Path) -> Path:
    """Return the folder of the unfinished training of a file."""
    return out.with_name(out.name + ".training")


def check_out(out: Path) -> None:
    """Refuse a name that an encoder cannot have, or a file that is there.

    Raises:
        RunError: the name ends in something else, its folder is missing, or the file exists.
    """
    if out.suffix != ENDING:
        raise RunError(f"{out}: an encoder's file ends in {ENDING}; give --out {out.with_suffix(ENDING)}")
    if not out.parent.is_dir():
        raise RunError(f"{out}: there is no folder {out.parent}; make it, or give another --out")
    if out.exists():
        _forget_finished(out)
        raise RunError(f"{out} exists; give another --out, or delete it")


def begin(folder: Path, made_from: JsonObject) -> None:
    """Write what a training is begun with, or refuse to continue one with something else.

    Raises:
        RunError: the folder was begun with something else, or is damaged.
    """
    file = folder / INDEX
    if not file.exists():
        write_text(file, sealed_text({"format": FORMAT, "made from": made_from}))
        return
    try:
        content = read_sealed(read_bytes(file))
        number, old = content["format"], dict(content["made from"])
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise RunError(
            f"{file} is damaged ({visible(str(error), 200)}); delete {folder}, and the training begins again"
        ) from None
    if isinstance(number, int) and number > FORMAT:
        raise RunError(f"{file} has format {number}; this ganstrata reads format {FORMAT}. {UPGRADE}")
    changed = differing(old, json.loads(json.dumps(made_from)))
    if changed:
        raise RunError(
            f"{folder} is an unfinished training with something else: {listed(changed, 4)}. Give the same "
            f"again, another --out, or delete {folder}"
        )


def finish(out: Path, learnt: Learnt) -> None:
    """Write the encoder with its card and its log, and remove the state of its training."""
    write_text(out.with_suffix(".csv"), csv_text([COLUMNS, *learnt.rows]))
    data, folder = encoder_bytes(learnt.encoder), folder_of(out)
    write_text(out.with_suffix(".md"), card_of(learnt.encoder, learnt.rows, out.name, data))
    content = read_sealed(read_bytes(folder / INDEX)) | {RESULT: hashlib.sha256(data).hexdigest()}
    write_text(folder / INDEX, sealed_text(content))
    write_bytes(out, data)  # last: a file that is there is complete
    forget(folder)


def _forget_finished(out: Path) -> None:
    """Remove what is left of a training if its process was killed just after it had written the file."""
    folder = folder_of(out)
    with suppress(OSError, ValueError, LookupError, GanstrataError):  # another process may train there
        if read_sealed(read_bytes(folder / INDEX))[RESULT] == content_hash(out):
            with locked(folder, INDEX, WHAT):
                forget(folder)
            folder.rmdir()


def forget(folder: Path) -> None:
    """Remove what a training has written into its folder; the lock removes the folder itself."""
    remove(folder / STATE)
    remove(folder / INDEX)
