"""Read checkpoints without running anything in them.

The format is recognised by content, never by file name: safetensors, a torch file, or a pickle by NVIDIA.
All pickles go through ganstrata's own unpickler (pickles/unpickler.py), which imports and calls nothing that
they name. There is no fallback to another reader. `bundled:NAME` stands for weights in the package, `hf:` and
`https:` for files that are fetched into a cache.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import warnings
from dataclasses import replace
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any

from torch import Tensor

from ..errors import CheckpointError, nearest
from ..messages import shown, visible
from ..storage.disk import open_file
from ..storage.paths import user_path, why_no_file
from .alignment import aligned
from .archive import check_archive, opened
from .content import Checkpoint, Part
from .limits import LENGTH, NAMES, Budget, Damaged, Refused
from .parts import OURS, parts, pickle_container
from .prefixes import without_wrappers
from .refused_kinds import (
    DOWNLOAD,
    HEAD,
    ZIP,
    folder_advice,
    is_safetensors,
    kind,
    refuse_other_archives,
    refuse_other_kinds,
)
from .remote import fetch, is_remote
from .safetensors_file import parse_integer, read_safetensors
from .torch_file import read_archive, read_pickle

BUNDLED = "bundled:"
WEIGHTS = Path(__file__).resolve().parents[2] / "weights"
CONFIG = 1_000_000  # bytes of a config.json beside a checkpoint, at most


def locate(checkpoint: str, role: str) -> Path:
    """Return the path of the file that `checkpoint:` in a config stands for.

    Args:
        checkpoint: a path, `bundled:NAME`, or a file on the network (core.checkpoints.remote).
        role: the part of a bundle that the plugin needs: `generator`, `scenes` or `surfaces`.

    Raises:
        CheckpointError: there is no such file or bundle, or it cannot be fetched.
    """
    if is_remote(checkpoint):
        return fetch(checkpoint)
    if not checkpoint.startswith(BUNDLED):
        path = user_path(checkpoint)
        if path.is_dir():
            raise CheckpointError(f"checkpoint {path} is a folder; {folder_advice(path)}")
        if path.exists() and not path.is_file():
            raise CheckpointError(f"checkpoint {path} cannot be read: {why_no_file(path)}")
        if not path.is_file():
            raise CheckpointError(
                f"no checkpoint file {path}"
                + (f" (looked in {Path.cwd()})" if not path.is_absolute() else "")
            )
        return path
    name = checkpoint.removeprefix(BUNDLED)
    path = WEIGHTS / f"{name}.{role}.safetensors"
    if not path.is_file():
        known = sorted(p.name.split(".")[0] for p in WEIGHTS.glob(f"*.{role}.safetensors"))
        raise CheckpointError(
            f"no bundled {role} checkpoint called '{name}'.{nearest(name, known)} "
            f"Bundled: {', '.join(known) or 'none'}"
        )
    return path


def read_checkpoint(path: Path) -> Checkpoint:
    """Read all state dicts of a checkpoint file into CPU memory.

    Supported are safetensors, torch files (zip and legacy), and NVIDIA's pickles for PyTorch and TensorFlow.

    Raises:
        CheckpointError: the file is missing, damaged, unsafe, or not a checkpoint.
    """
    changed = f"{path} was changed while it was read; give a file that nothing writes to any more, or a copy"
    try:
        with open_file(path) as file:
            size, state = os.fstat(file.fileno()).st_size, _state(file)
            head = file.read(HEAD)
            notes: tuple[str, ...] = ()
            if is_safetensors(head):
                container, parts = "safetensors", _safetensors(path, size)
            else:
                refuse_other_kinds(head, size)
                with warnings.catch_warnings(action="ignore"):
                    container, parts, notes = _pickled(file, size, head, path)
            _check_names(parts)
            copies: dict[int, Tensor] = {}
            parts = tuple(replace(part, tensors=aligned(part.tensors, copies)) for part in parts)
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            # Tensors and digest must be of the same content, also if another file has taken the name.
            if not state == _state(file) == _state(path):
                raise CheckpointError(changed)
    except Refused as error:
        raise CheckpointError(f"{path} is not a readable checkpoint: {error}") from None
    except Damaged as error:
        if state != _state(path):
            raise CheckpointError(changed) from None
        raise CheckpointError(
            f"{path} looks like {kind(head)} but is damaged or cut short; nothing in it was run: {error}. "
            f"{DOWNLOAD}"
        ) from None
    except OSError as error:
        raise CheckpointError(f"cannot read checkpoint {path}: {error.strerror or error}") from None
    return Checkpoint(path, digest, container, parts, notes)


def _state(file: io.BufferedReader | Path) -> tuple[int, ...]:
    """Return what shows that a file is the same as before: its device, number, size and time of change.

    Nothing if there is no such file any more.
    """
    try:
        found = os.stat(file if isinstance(file, Path) else file.fileno())
    except OSError:
        return ()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _check_names(parts: tuple[Part, ...]) -> None:
    """Refuse names that are too long, or that have unprintable characters.

    Names are printed in messages and tables, where characters that move the cursor could forge any output.
    They are also compared with many patterns, which takes time.
    """
    length = 0
    for part in parts:
        for name in (part.name, *part.tensors):
            length += len(name)
            if len(name) > LENGTH:
                raise Refused(
                    f"it has a tensor or a part whose name has {len(name)} characters, {visible(name)}; "
                    f"at most {LENGTH} are allowed"
                )
            if not name.isprintable():
                raise Damaged(
                    f"it has a tensor or a part with the name {shown(name)}, "
                    "which has characters that cannot be printed"
                )
    if length > NAMES:
        raise Refused(f"the names of its tensors have {length} characters; at most {NAMES} are allowed")


def _safetensors(path: Path, size: int) -> tuple[Part, ...]:
    tensors, settings = read_safetensors(path, Budget(size))
    tensors, notes = without_wrappers(tensors)
    return (Part("", tensors, settings_beside(path) if settings is None else settings, notes),)


def _pickled(
    file: io.BufferedReader, size: int, head: bytes, path: Path
) -> tuple[str, tuple[Part, ...], tuple[str, ...]]:
    budget = Budget(size)
    try:
        if head.startswith(ZIP):
            with opened(path) as archive:
                refuse_other_archives(archive.namelist())
                check_archive(archive, size)
                container, content = "torch zip", read_archive(archive, budget)
        else:
            content, container = read_pickle(memoryview(mmap(file.fileno(), 0, access=ACCESS_READ)), budget)
            if container == "pickle":
                container = pickle_container(content)
        state_dicts, notes = parts(content, budget)
    except (Refused, Damaged):
        raise
    except MemoryError:
        raise Refused("it needs more memory than there is") from None
    except Exception as error:  # zipfile and numpy raise many kinds of errors on damaged data
        raise Damaged(f"{type(error).__name__}: {visible(str(error))}") from None
    if len(state_dicts) == 1 and not state_dicts[0].name and not state_dicts[0].settings:
        state_dicts = (replace(state_dicts[0], settings=settings_beside(path)),)
    return container, state_dicts, notes


def settings_beside(path: Path) -> dict[str, Any]:
    """Return the settings in the `config.json` beside a bare state dict, as BigGAN-deep is published.

    Return an empty dictionary if there is no such file, or if it does not describe a generator.
    """
    config = path.with_name("config.json")
    try:
        if not config.is_file() or config.stat().st_size > CONFIG:
            return {}
        settings = json.loads(config.read_bytes(), parse_int=parse_integer)
    except (OSError, ValueError, RecursionError):
        return {}
    return (
        {key: value for key, value in settings.items() if key not in OURS}
        if isinstance(settings, dict) and "layers" in settings
        else {}
    )
