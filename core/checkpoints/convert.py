"""Convert a checkpoint to safetensors under the tensor names of the plugin that reads it.

The header of the new file describes the network, so that nothing has to be inferred, and names its source.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save
from torch import Tensor

from ..errors import CheckpointError, GanstrataError, PluginBroken, UserError
from ..storage.json_values import JsonObject, JsonValue
from ..storage.partial import partial_file
from . import SETTINGS, Checkpoint, locate, read_checkpoint
from .assumptions import FIELDS, SETTING
from .detect import Candidate, Examined, choose
from .inspect import examine

SUFFIX = ".safetensors"


@dataclass(frozen=True)
class Converted:
    """Describe a file that `convert` has written.

    Attributes:
        path: path of the new file.
        sha256: SHA-256 of the new file, in hex.
        bytes: size of the new file.
        header: content of its header.
        tensors: number of its tensors.
    """

    path: Path
    sha256: str
    bytes: int
    header: Mapping[str, Any]
    tensors: int


def convert(source: str, out: Path, *, force: bool = False) -> Converted:
    """Convert a checkpoint. The new file gets its name only after it was read back and compared.

    Args:
        source: a path, or `bundled:NAME`.
        out: path of the new file.
        force: whether to replace an existing file.

    Raises:
        UserError: `out` exists, or no file can be written there.
        CheckpointError: the source cannot be read, belongs to no plugin, or does not fit its plugin.
        PluginBroken: the plugin does not read the new file as the same network.
    """
    path = locate(source, "generator")
    _check_place(path, out, force=force)
    checkpoint = read_checkpoint(path)
    claim = choose(checkpoint)
    examined = _examine_whole(claim, checkpoint)
    header = _header(claim, examined, checkpoint)
    try:
        with partial_file(out) as file:
            file.write(_content(examined.tensors, _header_json(header, claim.plugin)))
            file.flush()
            sha256 = _verify(Path(file.name), claim, examined)
    except OSError as error:
        raise GanstrataError(f"cannot write {out}: {error.strerror or error}") from error
    return Converted(out, sha256, out.stat().st_size, header, len(examined.tensors))


def _check_place(source: Path, out: Path, *, force: bool) -> None:
    """Check that `out` can be written, before anything is computed."""
    if out.suffix != SUFFIX:
        raise UserError(f"{out}: the new file is safetensors; let its name end in {SUFFIX}")
    try:
        str(out).encode()
    except UnicodeEncodeError:
        raise UserError(f"{out}: the path is not valid UTF-8, which the safetensors library needs") from None
    if out.is_dir():
        raise UserError(f"{out} is a folder; name a file")
    if not out.parent.is_dir():
        raise UserError(f"{out}: there is no folder {out.parent}")
    if out.exists() and out.samefile(source):
        raise UserError(f"{out} is the file to be converted; name another")
    if out.exists() and not force:
        raise UserError(f"{out} exists; name another file, or give --force to replace it")


def _examine_whole(claim: Candidate, checkpoint: Checkpoint) -> Examined:
    """Return what the plugin finds in its part.

    Raises:
        CheckpointError: the part is not a complete network of the plugin.
    """
    try:
        examined = examine(claim, checkpoint)
    except CheckpointError as error:
        raise CheckpointError(f"{checkpoint.path}: {error}") from None
    if examined is None:
        raise CheckpointError(
            f"{checkpoint.path} belongs to the generator plugin '{claim.plugin}', "
            "which has no examine() and cannot convert"
        )
    faults = examined.faults
    if faults:
        more = f" and {len(faults) - 5} more; `ganstrata model inspect` lists all" if len(faults) > 5 else ""
        raise CheckpointError(
            f"{checkpoint.path} does not fit a {examined.family} ({examined.layout} names): "
            f"{'; '.join(faults[:5])}{more}"
        )
    return examined


def _header(claim: Candidate, examined: Examined, checkpoint: Checkpoint) -> JsonObject:
    """Return the header of the new file. If the source was converted before, keep its original source."""
    settings = claim.part.settings
    header: dict[str, JsonValue] = {
        "plugin": claim.plugin,
        "family": examined.family,
        "layout": examined.layout,
        "network": dict(examined.architecture),
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
    if examined.assumed:
        header[FIELDS] = dict(examined.assumed)
    lasting = [told for told in examined.assumptions if told not in examined.assumed.values()]
    if lasting:
        header[SETTING] = list(lasting)
    if "licence" in settings:
        header["licence"] = settings["licence"]
    return header


def _header_json(header: Mapping[str, Any], plugin: str) -> str:
    try:
        return json.dumps(header, allow_nan=False, ensure_ascii=False)
    except (TypeError, ValueError) as error:
        raise PluginBroken(
            f"the generator plugin '{plugin}' describes its network with values that JSON does not have: "
            f"{error}"
        ) from None


def _content(tensors: Mapping[str, Tensor], header: str) -> bytes:
    """Return tensors and header as a safetensors file has them."""
    try:
        # One metadata entry only: safetensors writes several in any order, and the hash would vary.
        # Its save_file() would write to a temporary file of its own, which stays if the process is killed.
        return save(_separate(tensors), metadata={SETTINGS: header})
    except (SafetensorError, LookupError, ValueError, RuntimeError) as error:
        raise GanstrataError(f"safetensors cannot hold one of the tensors: {error}") from error


def _separate(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the same tensors, each contiguous and in a storage of its own, in order of name."""
    storages: set[int] = set()
    separate = {}
    for name, tensor in sorted(tensors.items()):
        copy = tensor.detach().cpu().contiguous()
        if (
            copy.untyped_storage().data_ptr() in storages
            or copy.untyped_storage().nbytes() != copy.numel() * copy.element_size()
        ):
            copy = copy.clone()
        storages.add(copy.untyped_storage().data_ptr())
        separate[name] = copy
    return separate


def _verify(written: Path, claim: Candidate, examined: Examined) -> str:
    """Read the new file back, compare it with what was written, and return its SHA-256.

    Raises:
        PluginBroken: they differ.
    """
    checkpoint = read_checkpoint(written)
    try:
        reread_claim = choose(checkpoint)
        reread = examine(reread_claim)
    except GanstrataError as error:
        raise PluginBroken(
            f"the generator plugin '{claim.plugin}' does not know its own tensor names: {error}"
        ) from None
    if reread_claim.plugin != claim.plugin or reread is None:
        raise PluginBroken(
            f"the generator plugin '{claim.plugin}' does not know its own tensor names: "
            f"'{reread_claim.plugin}' claims them"
        )
    if (
        reread.missing
        or reread.superfluous
        or reread.misshapen
        or reread.tensors.keys() != examined.tensors.keys()
    ):
        differing = sorted(
            {
                *reread.missing,
                *reread.superfluous,
                *reread.misshapen,
                *(reread.tensors.keys() ^ examined.tensors.keys()),
            }
        )
        raise PluginBroken(
            f"the generator plugin '{claim.plugin}' does not read back the tensors that it gave: "
            f"{', '.join(differing[:5])}"
        )
    changed = [
        name for name, tensor in examined.tensors.items() if not _bitwise_equal(tensor, reread.tensors[name])
    ]
    if changed:
        raise PluginBroken(
            f"the generator plugin '{claim.plugin}' reads back other values: {', '.join(changed[:5])}"
        )
    if json.loads(json.dumps(dict(reread.architecture))) != json.loads(
        json.dumps(dict(examined.architecture))
    ):
        raise PluginBroken(
            f"the generator plugin '{claim.plugin}' reads back another architecture: {reread.architecture}"
        )
    return checkpoint.sha256


def _bitwise_equal(a: Tensor, b: Tensor) -> bool:
    """Return whether two tensors are equal bit for bit."""
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
