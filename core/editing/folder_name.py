"""Name the folder of an edit in a run, so that different edits have different folders."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from ..storage.filenames import LONGEST, file_stem
from .directions import EditPart
from .request import EditRequest

NOT_NAMED = ("along", "keep", "mode", "out", "device")  # part of the name otherwise, or change no picture
PLAIN = re.compile(r"[a-z0-9_+-]+(\.[0-9]+)?")


def folder_name(request: EditRequest, parts: Sequence[EditPart]) -> str:
    """Return the name of the folder of an edit: boundaries, layers asked for, mode, further options.

    The same request has the same name, and another one has another, whatever its options are. A name that
    would be too long, or no safe file name, ends in a digest instead of the options.

    Args:
        request: the edit.
        parts: its boundaries, in the order in which they are moved.

    >>> folder_name(EditRequest(along=("a/x",), seeds="0-3", steps=3), [])
    '.independent.seeds-0-3.steps-3'
    """
    what = "+".join(
        file_stem(part.boundary.name, part.set_name) if part.asked else file_stem(part.boundary.name)
        for part in parts
    )
    amounts = [None if part.amount is None else f"{part.amount:g}" for part in parts]
    options = [f"to-{'_'.join(a or 'end' for a in amounts)}"] if any(amounts) else []
    for field in fields(request):
        value = getattr(request, field.name)
        if field.name not in NOT_NAMED and value != field.default:
            options.append(_in_words(field.name, value))
    name = ".".join([what, request.mode, *options])
    if len(name) <= LONGEST and all(PLAIN.fullmatch(option) for option in options):
        return name
    digest = hashlib.sha256(json.dumps(options).encode()).hexdigest()[:12]
    return f"{what}.{request.mode}-{digest}"


def _in_words(name: str, value: Any) -> str:
    """Return an option as a part of a name: `seeds-0-3`, `search`, `no-scores`, `kinds-strip_gif`."""
    if isinstance(value, bool):
        return name if value else f"no-{name}"
    if isinstance(value, tuple):
        value = "_".join(value)
    elif isinstance(value, float):
        value = f"{value:g}"
    return f"{name.replace('_', '-')}-{str(value).replace(',', '_').replace(' ', '')}"
