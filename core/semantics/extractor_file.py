"""Store extractors as safetensors: the parameters of every head, and all else as JSON in the header."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    model_validator,
)
from safetensors.torch import save

from ..checkpoints import Checkpoint, locate, read_checkpoint
from ..checkpoints.filling import filled
from ..checkpoints.safetensors_file import SETTINGS
from ..config.file_header import MadeForHeader, read_header
from ..device import for_inference, resolve_device
from ..messages import shown
from ..storage.disk import write_bytes
from ..storage.json_values import JsonObject
from ..storage.name_rules import class_name_fault
from ..storage.paths import user_path
from .extractor import Architecture, Extractor, MadeFor
from .feature_maps import FeatureMap

ARCHITECTURE = "extractor-1"
MOST_HEADS = 1000
MOST = 65_536  # of a number that describes a feature map, or the labels
MOST_PIXELS = 2**26  # of the labels of a picture: more would fill the memory


class _Map(BaseModel):
    """Represent a feature map in the header."""

    model_config = ConfigDict(strict=True, extra="forbid")
    stratum: Annotated[int, Field(ge=0, le=MOST)]
    name: str
    channels: Annotated[int, Field(ge=1, le=MOST)]
    height: Annotated[int, Field(ge=1, le=MOST)]
    width: Annotated[int, Field(ge=1, le=MOST)]
    margin: Annotated[int, Field(ge=0, le=MOST)]


class _Header(BaseModel):
    """Represent the header of an extractor's file."""

    model_config = ConfigDict(strict=True)
    architecture: Literal["extractor-1"]
    head: Literal["LSE", "NSE-1", "NSE-2"]
    heads: Annotated[int, Field(ge=1, le=MOST_HEADS)]
    maps: Annotated[list[_Map], Field(min_length=1)]
    classes: Annotated[list[str], Field(min_length=2)]
    size: Annotated[list[Annotated[int, Field(ge=1, le=MOST)]], Field(min_length=2, max_length=2)]
    background: bool
    layer_weights: Literal["equal", "softplus"]
    bias: bool
    kernel: Literal[1, 3]
    generator: MadeForHeader
    facts: dict[str, Any]

    @model_validator(mode="after")
    def _fits_together(self) -> _Header:
        for name in self.classes:
            if fault := class_name_fault(name):
                raise ValueError(f"the class {shown(name)} {fault}")
        if len(set(self.classes)) < len(self.classes):
            raise ValueError("two classes have the same name")
        strata = [described.stratum for described in self.maps]
        if strata != sorted(set(strata)):
            raise ValueError("the strata of the feature maps do not rise")
        if self.size[0] * self.size[1] > MOST_PIXELS:
            raise ValueError(f"labels of {self.size[0]} x {self.size[1]} pixels are too many to compute")
        return self


def save_extractor(extractor: Extractor, path: Path | str) -> None:
    """Write an extractor to a file, in one step.

    Raises:
        GanstrataError: the disk is full or the directory cannot be written.
    """
    write_bytes(user_path(path), extractor_content(extractor))


def extractor_content(extractor: Extractor) -> bytes:
    """Return the content of an extractor's file."""
    a = extractor.architecture
    header: JsonObject = {
        "architecture": ARCHITECTURE,
        "head": a.head,
        "heads": len(extractor.heads),
        "maps": [asdict(described) for described in a.maps],
        "classes": list(a.classes),
        "size": list(a.size),
        "background": a.background,
        "layer_weights": a.layer_weights,
        "bias": a.bias,
        "kernel": a.kernel,
        "generator": asdict(extractor.made_for),
        "facts": dict(extractor.facts),
    }
    tensors = {
        f"{k}.{name}": tensor.detach().cpu().contiguous()
        for k, head in enumerate(extractor.heads)
        for name, tensor in head.state_dict().items()
    }
    return save(tensors, metadata={SETTINGS: json.dumps(header)})


def load_extractor(path: Path | str, device: torch.device | str = "cpu") -> Extractor:
    """Read the file of an extractor.

    Args:
        path: the file.
        device: auto, cpu, cuda or cuda:N, or a device of torch.

    Raises:
        CheckpointError: it is not one, or is damaged.
        UserError: there is no such device.
    """
    where = resolve_device(device) if isinstance(device, str) else device
    return extractor_of(read_checkpoint(locate(str(path), "extractor")), where)


def extractor_of(checkpoint: Checkpoint, device: torch.device) -> Extractor:
    """Build the extractor of a checkpoint.

    Raises:
        CheckpointError: it is not one, or its header or its tensors do not fit each other.
    """
    header = read_header(
        checkpoint, _Header, ARCHITECTURE, noun="an extractor", command="ganstrata segment train"
    )
    architecture = Architecture(
        head=header.head,
        maps=tuple(FeatureMap(**described.model_dump()) for described in header.maps),
        classes=tuple(header.classes),
        size=(header.size[0], header.size[1]),
        background=header.background,
        layer_weights=header.layer_weights,
        bias=header.bias,
        kernel=header.kernel,
    )
    heads = tuple(
        for_inference(filled(architecture.build, checkpoint.tensors, checkpoint.path, f"{k}."), device)
        for k in range(header.heads)
    )
    made_for = MadeFor(**header.generator.model_dump())
    return Extractor(architecture, heads, made_for, header.facts, checkpoint.sha256)
