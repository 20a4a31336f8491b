"""Write and read JSON documents that contain their own digest, so that any changed byte is noticed."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from .json_values import JsonObject

KEY = "digest"


def sealed_text(content: JsonObject) -> str:
    """Return the content as JSON with its SHA-256 under the key "digest".

    >>> text = sealed_text({"b": [1, 2], "a": 0.1})
    >>> read_sealed(text.encode())["b"]
    [1, 2]
    >>> read_sealed(text.replace("0.1", "0.2").encode())
    Traceback (most recent call last):
    ValueError: its content has changed since it was written
    """
    # In the form in which it will be read: keys become text, and tuples become lists.
    document = json.loads(json.dumps({key: value for key, value in content.items() if key != KEY}))
    canonical = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return json.dumps(document | {KEY: hashlib.sha256(canonical.encode()).hexdigest()}, indent=2) + "\n"


def read_sealed(text: bytes) -> dict[str, Any]:
    """Return the content of a document written by `sealed_text`, including its digest.

    Raises:
        ValueError: it has been changed.
    """
    try:
        content = json.loads(text)
        is_intact = isinstance(content, dict) and sealed_text(content).encode() == text
    except RecursionError:
        is_intact = False
    if not is_intact:
        raise ValueError("its content has changed since it was written")
    assert isinstance(content, dict)
    return content
