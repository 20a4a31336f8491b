"""Read safetensors files: a header of names, types and shapes, followed by the data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from ..messages import shown, visible
from .limits import TENSORS, Budget, Damaged, Refused
from .pickles.arrays import are_sizes

SETTINGS = "ganstrata"  # metadata key of ganstrata's own JSON
HEADER = 2**23  # bytes of the header at most; 20,000 tensors take about 3 million
DIGITS = 40  # digits of an integer in the JSON, at most
JSON = 1_000_000  # characters of the JSON, at most


def read_safetensors(path: Path, budget: Budget) -> tuple[dict[str, Tensor], dict[str, Any] | None]:
    """Return the tensors by name, and ganstrata's settings in the header; None if it has none.

    Raises:
        Damaged: the header or a tensor makes no sense.
        Refused: the header is too long, or names too many tensors, or the path is not Unicode.
    """
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise Refused("its path is not valid UTF-8, which the safetensors library needs: rename it") from None
    try:
        with path.open("rb") as start:
            length = int.from_bytes(start.read(8), "little")
        if length > HEADER:
            raise Refused(f"it has a header of {length} bytes; at most {HEADER} are allowed")
        with safe_open(path, framework="pt", device="cpu") as file:
            settings = _settings((file.metadata() or {}).get(SETTINGS))
            names = file.keys()
            if len(names) > TENSORS:
                raise Refused(f"it has {len(names)} tensors; at most {TENSORS} are allowed")
            for name in names:
                budget.hold()
                if not are_sizes(shape := tuple(file.get_slice(name).get_shape())):
                    raise Damaged(f"its tensor {visible(name)} has the shape {shown(shape)}")
            # get_tensor() returns a view of the mapped file, so copy it.
            return {name: file.get_tensor(name).clone() for name in names}, settings
    except (SafetensorError, OSError, ValueError, RuntimeError, KeyError, AttributeError) as error:
        raise Damaged(visible(str(error), 400)) from None


def parse_integer(text: str) -> int:
    """Parse an integer of JSON.

    Raises:
        ValueError: it has more than `DIGITS` digits.
    """
    if len(text) > DIGITS:
        raise ValueError(f"a number of {len(text)} digits")
    return int(text)


def _settings(text: str | None) -> dict[str, Any] | None:
    """Parse ganstrata's settings in the header.

    Raises:
        Refused: they are too long, or not a JSON object.
    """
    if text is None:
        return None
    if len(text) > JSON:
        raise Refused(f"the settings in its header have {len(text)} characters; at most {JSON} are allowed")
    try:
        settings = json.loads(text, parse_int=parse_integer)
    except (ValueError, RecursionError) as error:
        raise Refused(f"the settings in its header are not JSON: {visible(str(error))}") from None
    if not isinstance(settings, dict):
        raise Refused("the settings in its header are not a JSON object")
    return settings
