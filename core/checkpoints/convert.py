"""Writes any checkpoint that a plugin knows as safetensors under the plugin's own tensor names.

The header says what the network is, so that nothing has to be inferred, and where it came from.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from ..errors import CheckpointError, GanstrataError, PluginBroken, UserError
from . import SETTINGS, Checkpoint, locate, read_checkpoint
from .detect import Candidate, Examined, choose
from .inspect import examine

SUFFIX = ".safetensors"


@dataclass(frozen=True)
class Converted:
    """What was written.

    Attributes:
        path: of the new file.
        sha256: of the new file.
        bytes: its size.
        header: what it says of itself.
        tensors: how many it holds.
    """

    path: Path
    sha256: str
    bytes: int
    header: Mapping[str, Any]
    tensors: int


def convert(source: str, out: Path, *, force: bool = False) -> Converted:
    """Convert a checkpoint, read the result back and compare it, and only then give it its name.

    Args:
        source: a path, or `bundled:NAME`.
        out: a new file.
        force: whether it may be an old one.

    Raises:
        UserError: `out` exists, or is no place for a file.
        CheckpointError: the source cannot be read, belongs to no plugin, or does not fit it.
        PluginBroken: the plugin does not know its own file again.
    """
    path = locate(source, "generator")
    _check_place(path, out, force=force)
    checkpoint = read_checkpoint(path)
    claim = choose(checkpoint)
    found = _complete(claim, checkpoint)
    header = _header(claim, found, checkpoint)
    temporary = out.with_name(f".{out.name}.part")  # always the same: what a kill leaves is written over
    try:
        _write(temporary, found.tensors, _json(header, claim.plugin))
        sha256 = _verify(temporary, claim, found)
        temporary.replace(out)
    except (OSError, SafetensorError) as error:
        raise GanstrataError(f"cannot write {out}: {getattr(error, 'strerror', None) or error}") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
    return Converted(out, sha256, out.stat().st_size, header, len(found.tensors))


def _check_place(source: Path, out: Path, *, force: bool) -> None:
    """Refuse a place before any work is done."""
    if out.suffix != SUFFIX:
        raise UserError(f"{out}: the new file is safetensors; let its name end in {SUFFIX}")
    if out.is_dir():
        raise UserError(f"{out} is a folder; name a file")
    if not out.parent.is_dir():
        raise UserError(f"{out}: there is no folder {out.parent}")
    if out.exists() and out.samefile(source):
        raise UserError(f"{out} is the file to be converted; name another")
    if out.exists() and not force:
        raise UserError(f"{out} exists; name another file, or give --force to replace it")


def _complete(claim: Candidate, checkpoint: Checkpoint) -> Examined:
    """What the plugin finds, if it is a whole network."""
    try:
        found = examine(claim)
    except CheckpointError as error:
        raise CheckpointError(f"{checkpoint.path}: {error}") from None
    if found is None:
        raise CheckpointError(
            f"{checkpoint.path} belongs to the generator plugin '{claim.plugin}', which has no examine() and cannot convert"
        )
    faults = found.faults
    if faults:
        more = f" and {len(faults) - 5} more; `ganstrata model inspect` lists all" if len(faults) > 5 else ""
        raise CheckpointError(
            f"{checkpoint.path} does not fit a {found.family} ({found.layout} names): {'; '.join(faults[:5])}{more}"
        )
    return found


def _header(claim: Candidate, found: Examined, checkpoint: Checkpoint) -> dict[str, Any]:
    """What the new file says of itself; of a converted file, where it first came from."""
    settings = claim.part.settings
    header: dict[str, Any] = {
        "plugin": claim.plugin,
        "family": found.family,
        "layout": found.layout,
        "network": dict(found.architecture),
        "source": settings.get("source", checkpoint.path.name),
        "source_sha256": checkpoint.sha256,
        "source_container": checkpoint.container,
        "source_part": claim.part.name,
        "ganstrata_version": _version(),
    }
    if {"plugin", "source_sha256"} <= settings.keys():
        header |= {
            key: settings[key]
            for key in ("layout", "source", "source_sha256", "source_container", "source_part")
            if key in settings
        }
    if "licence" in settings:
        header["licence"] = settings["licence"]
    return header


def _json(header: Mapping[str, Any], plugin: str) -> str:
    try:
        return json.dumps(header, allow_nan=False, ensure_ascii=False)
    except (TypeError, ValueError) as error:
        raise PluginBroken(
            f"the generator plugin '{plugin}' describes its network with values that JSON does not have: {error}"
        ) from None


def _write(path: Path, tensors: Mapping[str, Tensor], header: str) -> None:
    """Tensors and header, on the disk."""
    try:
        # With one entry only, because safetensors writes several in any order: the same file has the same hash.
        save_file(_apart(tensors), path, metadata={SETTINGS: header})
    except (LookupError, ValueError, RuntimeError) as error:
        raise GanstrataError(f"safetensors cannot hold one of the tensors: {error}") from error
    with path.open(
        "r+b"
    ) as file:  # Windows brings nothing to the disk through a file that is open for reading alone
        os.fsync(file.fileno())


def _apart(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors, each contiguous and in memory of its own."""
    taken: set[int] = set()
    apart = {}
    for name, tensor in sorted(tensors.items()):
        own = tensor.detach().cpu().contiguous()
        if (
            own.untyped_storage().data_ptr() in taken
            or own.untyped_storage().nbytes() != own.numel() * own.element_size()
        ):
            own = own.clone()
        taken.add(own.untyped_storage().data_ptr())
        apart[name] = own
    return apart


def _verify(written: Path, claim: Candidate, found: Examined) -> str:
    """Read a new file back; its SHA-256 if it is what was meant.

    Raises:
        PluginBroken: it is not.
    """
    checkpoint = read_checkpoint(written)
    try:
        again = choose(checkpoint)
        second = examine(again)
    except GanstrataError as error:
        raise PluginBroken(
            f"the generator plugin '{claim.plugin}' does not know its own tensor names: {error}"
        ) from None
    if again.plugin != claim.plugin or second is None:
        raise PluginBroken(
            f"the generator plugin '{claim.plugin}' does not know its own tensor names: '{again.plugin}' claims them"
        )
    if (
        second.missing
        or second.superfluous
        or second.misshapen
        or second.tensors.keys() != found.tensors.keys()
    ):
        odd = sorted(
            {
                *second.missing,
                *second.superfluous,
                *second.misshapen,
                *(second.tensors.keys() ^ found.tensors.keys()),
            }
        )
        raise PluginBroken(
            f"the generator plugin '{claim.plugin}' does not read back what it gave: {', '.join(odd[:5])}"
        )
    changed = [name for name, tensor in found.tensors.items() if not _same(tensor, second.tensors[name])]
    if changed:
        raise PluginBroken(
            f"the generator plugin '{claim.plugin}' reads back other values: {', '.join(changed[:5])}"
        )
    if json.loads(json.dumps(dict(second.architecture))) != json.loads(json.dumps(dict(found.architecture))):
        raise PluginBroken(
            f"the generator plugin '{claim.plugin}' reads back another architecture: {second.architecture}"
        )
    return checkpoint.sha256


def _same(a: Tensor, b: Tensor) -> bool:
    """Bit for bit."""
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    return bool(
        torch.equal(
            a.detach().contiguous().reshape(-1).view(torch.uint8),
            b.detach().contiguous().reshape(-1).view(torch.uint8),
        )
    )


def _version() -> str:
    try:
        return version("ganstrata")
    except PackageNotFoundError:
        return "unknown"
