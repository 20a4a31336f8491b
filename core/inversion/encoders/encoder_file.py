"""Store encoders as safetensors: the parameters in half precision, and all else as JSON in the header."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from safetensors.torch import save

from ...checkpoints import BUNDLED, WEIGHTS, Checkpoint, digest, locate, read_checkpoint
from ...checkpoints.filling import filled
from ...checkpoints.safetensors_file import SETTINGS
from ...config.file_header import MadeForHeader, read_header
from ...device import for_inference, resolve_device
from ...errors import CheckpointError
from ...plugins.generator import Generator
from ...semantics.extractor import MadeFor
from ...storage.disk import write_bytes
from ...storage.json_values import JsonObject
from ...storage.paths import user_path
from .encoder import Encoder, PictureEncoder
from .foreign import foreign_encoder
from .network import Architecture

ARCHITECTURE = "encoder-2"
ROLE = "encoder"  # in the name of a bundled file
MOST = 65_536  # pixels of a side, layers, numbers in a code, classes
NETWORK = "network."


class _Header(BaseModel):
    """Represent the header of an encoder's file."""

    model_config = ConfigDict(strict=True)
    architecture: Literal["encoder-2"]
    size: Literal["small", "base"]
    space: Literal["z", "w", "layers", "w+"]
    height: Annotated[int, Field(ge=1, le=MOST)]
    width: Annotated[int, Field(ge=1, le=MOST)]
    rows: Annotated[int, Field(ge=1, le=MOST)]
    values: Annotated[int, Field(ge=1, le=MOST)]
    classes: Annotated[list[Annotated[int, Field(ge=0)]], Field(max_length=MOST)]
    generator: MadeForHeader
    facts: dict[str, Any]
    checksum: str

    @model_validator(mode="after")
    def _fits_together(self) -> _Header:
        if self.classes != sorted(set(self.classes)):
            raise ValueError("the numbers of the classes do not rise")
        if self.rows > 1 and self.space in ("z", "w"):
            raise ValueError(f"the space {self.space} has one code per picture, and rows is {self.rows}")
        return self


def save_encoder(encoder: Encoder, path: Path | str) -> None:
    """Write an encoder to a file, in one step, with its parameters in float16.

    Raises:
        GanstrataError: the disk is full or the directory cannot be written.
    """
    write_bytes(user_path(path), encoder_bytes(encoder))


def encoder_bytes(encoder: Encoder) -> bytes:
    """Return the content of an encoder's file."""
    a = encoder.architecture
    header: JsonObject = {
        "architecture": ARCHITECTURE,
        **{key: value for key, value in asdict(a).items() if key != "classes"},
        "classes": list(encoder.classes),
        "generator": asdict(encoder.made_for),
        "facts": dict(encoder.facts),
    }
    tensors = {
        NETWORK + name: tensor.detach().cpu().half().contiguous()
        for name, tensor in encoder.network.state_dict().items()
    }
    # The unit stays in float32: codes far from the mean would lose digits.
    if encoder.mean is not None and encoder.sd is not None:
        tensors |= {"mean": encoder.mean.cpu().contiguous(), "sd": encoder.sd.cpu().contiguous()}
    sealed = {**header, "checksum": _checksum(header, tensors)}
    return save(tensors, metadata={SETTINGS: json.dumps(sealed)})


def _checksum(header: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> str:
    """Return the SHA-256 of a header, whatever it says of its checksum, and of tensors.

    A changed parameter need not show: it may make codes a little worse.
    """
    said = {key: value for key, value in header.items() if key != "checksum"}
    text = json.dumps([said, digest(tensors)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def is_encoder(checkpoint: Checkpoint) -> bool:
    """Return whether a checkpoint is the file of an encoder of ganstrata."""
    return checkpoint.settings.get("architecture") == ARCHITECTURE


def read_encoder(path: Path | str, device: torch.device | str = "cpu") -> Encoder:
    """Read the file of an encoder that ganstrata trained.

    Args:
        path: the file, or `bundled:NAME`.
        device: auto, cpu, cuda or cuda:N, or a device of torch.

    Raises:
        CheckpointError: it is not one, or is damaged.
        UserError: there is no such device.
    """
    where = resolve_device(device) if isinstance(device, str) else device
    return encoder_of(read_checkpoint(locate(str(path), ROLE)), where)


def encoder_of(checkpoint: Checkpoint, device: torch.device) -> Encoder:
    """Build the encoder of a checkpoint.

    Raises:
        CheckpointError: it is not one, or its header or its tensors do not fit each other.
    """
    path = checkpoint.path
    header = read_header(
        checkpoint, _Header, ARCHITECTURE, noun="an encoder", command="ganstrata encoder train"
    )
    architecture = Architecture(
        header.size,
        header.space,
        header.height,
        header.width,
        header.rows,
        header.values,
        len(header.classes),
    )
    tensors = dict(checkpoint.tensors)
    network = for_inference(filled(architecture.build, tensors, path, NETWORK), device)
    unit: dict[str, torch.Tensor | None] = {}
    for name in ("mean", "sd"):
        tensor = unit[name] = tensors.get(name)
        wanted = header.space in ("w", "w+")
        shape = None if tensor is None else tuple(tensor.shape)
        if shape != ((header.values,) if wanted else None):
            raise CheckpointError(
                f"{path} does not fit its header: {name} is {shape or 'missing'}, expected "
                f"{(header.values,) if wanted else 'no such tensor'} in the space {header.space}"
            )
        if tensor is not None and not bool(tensor.isfinite().all()):
            raise CheckpointError(f"{path}: {name} holds values that are not finite")
        if tensor is not None and name == "sd" and not bool((tensor > 0.0).all()):
            raise CheckpointError(f"{path}: {name} holds values that are not above 0")
    if _checksum(checkpoint.settings, checkpoint.tensors) != header.checksum:
        raise CheckpointError(f"{path}: its content has changed since it was written; copy it again")
    made_for = MadeFor(**header.generator.model_dump())
    return Encoder(
        architecture,
        network,
        unit["mean"],
        unit["sd"],
        made_for,
        tuple(header.classes),
        header.facts,
        checkpoint.sha256,
    )


def bundled_encoder(generator: Generator) -> str | None:
    """Return the name of the package's encoder for a generator, such as `bundled:rooms`, or None."""
    for path in sorted(WEIGHTS.glob(f"*.{ROLE}.safetensors")):
        made_for = read_checkpoint(path).settings.get("generator")
        if isinstance(made_for, dict) and made_for.get("fingerprint") == generator.fingerprint:
            return BUNDLED + path.name.split(".")[0]
    return None


def load_encoder(path: str, generator: Generator) -> PictureEncoder:
    """Read an encoder for a generator.

    Args:
        path: a file that `ganstrata encoder train` wrote, `bundled:NAME`, or a file of pSp, e4e or in-domain
            inversion.
        generator: generator of the codes, on whose device the network is put.

    Returns:
        A function of pictures (N, 3, H, W) in [0, 1] to codes (N, L, D), with gradients.

    Raises:
        CheckpointError: there is no such file, or it is no encoder, or damaged.
        MismatchError: it is of another generator.
    """
    checkpoint = read_checkpoint(locate(path, ROLE))
    if is_encoder(checkpoint) or "architecture" in checkpoint.settings:
        return encoder_of(checkpoint, generator.device).for_generator(generator, path)
    return foreign_encoder(checkpoint, generator)
