"""Read the headers of files of networks that ganstrata trained: extractors and encoders."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from ..checkpoints import Checkpoint
from ..errors import CheckpointError
from ..messages import shown
from .faults import describe

H = TypeVar("H", bound=BaseModel)


class MadeForHeader(BaseModel):
    """Represent the generator that a network was trained for, in the header of its file."""

    model_config = ConfigDict(strict=True, extra="forbid")
    fingerprint: str
    plugin: str
    options: dict[str, Any]
    family: str
    resolution: str
    checkpoint: str
    truncation: str


def read_header(checkpoint: Checkpoint, model: type[H], architecture: str, *, noun: str, command: str) -> H:
    """Return the header of a file, validated.

    Args:
        checkpoint: the file.
        model: what the header must be.
        architecture: what it must name.
        noun: what the file should be, such as `an encoder`.
        command: what writes such files.

    Raises:
        CheckpointError: the file is of something else, or its header is damaged.
    """
    path, settings = checkpoint.path, dict(checkpoint.settings)
    if settings.get("architecture") != architecture:
        named = shown(settings.get("architecture")) if settings.get("architecture") else "no architecture"
        raise CheckpointError(
            f"{path} is not {noun}: its header names {named}, expected '{architecture}'. "
            f"`{command}` writes one"
        )
    try:
        return model.model_validate(settings)
    except ValidationError as error:
        raise CheckpointError(
            f"{path}: its header is damaged: {describe(error, model, settings)[0]}"
        ) from None
