"""Files of safetensors: a header of names, types and shapes, then the numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from ..text import shown, visible
from .limits import TENSORS, Budget, Damaged, Refused
from .pickles.arrays import are_sizes

SETTINGS = "ganstrata"  # key in the header that holds our JSON
HEADER = 2**23  # bytes of the header; that of 20,000 tensors takes some 3 million
DIGITS = 40  # of a whole number in it
JSON = 1_000_000  # characters of our JSON


def read_safetensors(path: Path, budget: Budget) -> tuple[dict[str, Tensor], dict[str, Any] | None]:
    """Tensors by name, each in memory of its own, and our settings; None if the header has none.

    Raises:
        Damaged: the header or a tensor makes no sense.
        Refused: the header is longer, or names more tensors, than that of any checkpoint.
    """
    try:
        with path.open("rb") as start:
            length = int.from_bytes(start.read(8), "little")
        if length > HEADER:
            raise Refused(f"it has a header of {length} bytes; {HEADER} are read")
        with safe_open(path, framework="pt", device="cpu") as file:
            settings = _settings((file.metadata() or {}).get(SETTINGS))
            names = file.keys()
            if len(names) > TENSORS:
                raise Refused(f"it has {len(names)} tensors; {TENSORS} are read")
            for name in names:
                budget.hold()
                if not are_sizes(shape := tuple(file.get_slice(name).get_shape())):
                    raise Damaged(f"its tensor {visible(name)} has the shape {shown(shape)}")
            return {
                name: file.get_tensor(name).clone() for name in names
            }, settings  # what is got looks into the file
    except (SafetensorError, OSError, ValueError, RuntimeError, KeyError, AttributeError) as error:
        raise Damaged(visible(str(error), 400)) from None


def whole(text: str) -> int:
    """A whole number of JSON, of so many digits that it can be computed with.

    Raises:
        ValueError: it has more.
    """
    if len(text) > DIGITS:
        raise ValueError(f"a number of {len(text)} digits")
    return int(text)


def _settings(text: str | None) -> dict[str, Any] | None:
    """What our header says.

    Raises:
        Refused: it is no JSON object.
    """
    if text is None:
        return None
    if len(text) > JSON:
        raise Refused(f"the settings in its header have {len(text)} characters; {JSON} are read")
    try:
        found = json.loads(text, parse_int=whole)
    except (ValueError, RecursionError) as error:
        raise Refused(f"the settings in its header are no JSON: {visible(str(error))}") from None
    if not isinstance(found, dict):
        raise Refused("the settings in its header are no object")
    return found
