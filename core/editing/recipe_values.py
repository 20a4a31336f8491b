"""Define of what the parts of a recipe are made: names, numbers, digests, and bytes as base64."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from math import prod
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field

from ..config.section import Section

SEEDS = 2**63

Name = Annotated[str, Field(min_length=1, max_length=400)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{16,64}$")]
Number = Annotated[float, Field(ge=-1e6, le=1e6)]
Index = Annotated[int, Field(ge=0, lt=10**15)]
Encoded = Annotated[str, Field(max_length=2**20, pattern=r"^[A-Za-z0-9+/]*={0,2}$")]  # base64


class RecipePart(Section):
    """Base of the parts of a recipe: what it does not know is refused, and text is not a number."""

    model_config = ConfigDict(strict=True)


def encoded(content: bytes) -> str:
    """Return bytes as base64."""
    return base64.b64encode(content).decode("ascii")


def decoded(text: str) -> bytes:
    """Return what base64 holds.

    Raises:
        ValueError: it is not valid.
    """
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(f"it is not valid base64: {error}") from None


def encoded_floats(values: NDArray[np.float32]) -> str:
    """Return an array as base64 of float32, little-endian, the last axis first.

    >>> decoded_floats(encoded_floats(np.array([[1.0, 0.5]], np.float32)), (1, 2), "codes").tolist()
    [[1.0, 0.5]]
    """
    return encoded(np.ascontiguousarray(values, dtype="<f4").tobytes())


def decoded_floats(text: str, shape: Sequence[int] | None, what: str) -> NDArray[np.float32]:
    """Return the array of a shape that base64 holds, or one of a single axis.

    Args:
        text: float32, little-endian, as base64.
        shape: its shape; None if it is not known.
        what: what the numbers are, for messages.

    Raises:
        ValueError: there are more or fewer than the shape says, or one is not finite.
    """
    content = decoded(text)
    needed = len(content) // 4 * 4 if shape is None else 4 * prod(shape)
    if len(content) != needed:
        wanted = "have 4 bytes each" if shape is None else f"of shape {tuple(shape)} have {needed} bytes"
        raise ValueError(f"{what} {wanted}; these have {len(content)}")
    values = np.frombuffer(content, dtype="<f4").astype(np.float32)
    if not np.isfinite(values).all():
        raise ValueError(f"the {what} are not all finite numbers")
    return values if shape is None else values.reshape(tuple(shape))
