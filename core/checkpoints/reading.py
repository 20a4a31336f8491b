"""Reads checkpoints without running anything in them.

A file is known by its content, never by its name: safetensors, or a torch file read with
`weights_only=True`. There is no fall-back to unsafe loading. `bundled:NAME` stands for the weights
that ship with the package.
"""

from __future__ import annotations

import hashlib
import json
import pickle
import re
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ..errors import CheckpointError, nearest
from .content import Checkpoint, Part

BUNDLED = "bundled:"
WEIGHTS = Path(__file__).resolve().parents[2] / "weights"
SETTINGS = "ganstrata"  # key in a safetensors header that holds our JSON
ZIP = b"PK\x03\x04"  # how an archive begins, for torch too


def locate(checkpoint: str, role: str) -> Path:
    """The file that `checkpoint:` in a config means.

    Args:
        checkpoint: a path, or `bundled:NAME`.
        role: what the plugin needs of a bundle: `generator`, `scenes` or `surfaces`.

    Raises:
        CheckpointError: no such file or bundle.
    """
    if not checkpoint.startswith(BUNDLED):
        path = Path(checkpoint).expanduser()
        if path.is_dir():
            raise CheckpointError(f"checkpoint {path} is a folder; name a file")
        if not path.is_file():
            raise CheckpointError(f"no checkpoint file {path}" + (f" (looked in {Path.cwd()})" if not path.is_absolute() else ""))
        return path
    name = checkpoint.removeprefix(BUNDLED)
    path = WEIGHTS / f"{name}.{role}.safetensors"
    if not path.is_file():
        known = sorted(p.name.split(".")[0] for p in WEIGHTS.glob(f"*.{role}.safetensors"))
        raise CheckpointError(f"no bundled {role} checkpoint called '{name}'.{nearest(name, known)} Bundled: {', '.join(known) or 'none'}")
    return path


def read_checkpoint(path: Path) -> Checkpoint:
    """All tensors of a file, on the CPU.

    Raises:
        CheckpointError: the file is missing, damaged, unsafe, or no checkpoint.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(16)
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise CheckpointError(f"cannot read checkpoint {path}: {error.strerror}") from None
    if size < 16:
        raise CheckpointError(f"{path} is no checkpoint: it has {size} bytes")
    # The length of a header below 4 GiB, then the header. Looked for first: its first byte may be that of a pickle.
    if head[4:9] == b"\0\0\0\0{":
        tensors, settings = _read_safetensors(path)
    elif head[:4] == ZIP or head[:1] == b"\x80":
        tensors, settings = _read_torch(path, zipped=head[:4] == ZIP)
    else:
        kind = "a text file" if head.isascii() and head.decode("ascii").isprintable() else "of a kind that is not known here"
        raise CheckpointError(f"{path} is no checkpoint: it seems to be {kind}; safetensors and torch files are read")
    container = "safetensors" if head[4:9] == b"\0\0\0\0{" else "torch"
    return Checkpoint(path, digest, container, (Part("", tensors, settings),))


def _read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
    except (SafetensorError, OSError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"{path} looks like a safetensors file but is damaged or cut short: {error}") from None
    try:
        settings = json.loads(metadata.get(SETTINGS, "{}"))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: the settings in its header are no JSON: {error}") from None
    if not isinstance(settings, dict):
        raise CheckpointError(f"{path}: the settings in its header are no object")
    return tensors, settings


def _check_archive(path: Path) -> None:
    """Refuse what unpacks to more than the file holds: torch.save never compresses."""
    with zipfile.ZipFile(path) as archive:
        unpacked = sum(entry.file_size for entry in archive.infolist())
    size = path.stat().st_size
    if unpacked > size:
        raise CheckpointError(f"{path} is a compressed archive of {size} bytes that claims to hold {unpacked}: no checkpoint that torch wrote")


def _read_torch(path: Path, *, zipped: bool) -> tuple[dict[str, Tensor], dict[str, Any]]:
    try:
        if zipped:
            _check_archive(path)
        # An open file, because torch judges a path by its ending; its warnings are about how pickles are made.
        with path.open("rb") as file, warnings.catch_warnings(action="ignore"):
            content = torch.load(file, map_location="cpu", weights_only=True)
    except CheckpointError:
        raise
    except Exception as error:
        wanted = re.search(r"GLOBAL\s+(\S+)", str(error)) if isinstance(error, pickle.UnpicklingError) else None
        if wanted is not None:
            raise CheckpointError(
                f"{path} is a pickle that holds more than tensors, and is refused: reading it could run code. It asks for {wanted[1]}.\n"
                "  Save the network's state_dict() with safetensors, or with torch.save, and give that file."
            ) from None
        if isinstance(error, pickle.UnpicklingError):
            raise CheckpointError(f"{path} looks like a torch file but is damaged, or is a pickle of another kind; nothing in it was run") from None
        # Damaged archives raise anything from EOFError to RuntimeError.
        raise CheckpointError(f"{path} looks like a torch file but is damaged or cut short: {type(error).__name__}: {error}") from None
    if isinstance(content, Mapping) and content and all(isinstance(v, Tensor) for v in content.values()):
        for name, tensor in content.items():
            if tensor.layout != torch.strided or tensor.is_quantized or tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
                raise CheckpointError(f"{path}: its tensor '{name}' {tuple(tensor.shape)} is not stored in full, as weights are")
        return {str(k): v for k, v in content.items()}, {}
    found = type(content).__name__
    if isinstance(content, Mapping):
        found = f"a dictionary with {', '.join(str(k) for k in list(content)[:6])}"
    raise CheckpointError(f"{path} holds {found} where a state dict, names with tensors, is expected")
