"""JSON documents that carry a digest of themselves, so that one changed byte is noticed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

KEY = "digest"


def sealed_text(content: Mapping[str, Any]) -> str:
    """Return the content as JSON, with a digest of all that is in it.

    >>> text = sealed_text({"b": [1, 2], "a": 0.1})
    >>> read_sealed(text.encode())["b"]
    [1, 2]
    >>> read_sealed(text.replace("0.1", "0.2").encode())
    Traceback (most recent call last):
    ValueError: it is not what was written
    """
    # As it will be read back: keys become text, tuples lists.
    kept = json.loads(json.dumps({key: value for key, value in content.items() if key != KEY}))
    canonical = json.dumps(kept, sort_keys=True, separators=(",", ":"))
    return json.dumps(kept | {KEY: hashlib.sha256(canonical.encode()).hexdigest()}, indent=2) + "\n"


def read_sealed(text: bytes) -> dict[str, Any]:
    """Return the content of what `sealed_text` made, the digest included.

    Raises:
        ValueError: a byte of it has changed.
    """
    try:
        content = json.loads(text)
        whole = isinstance(content, dict) and sealed_text(content).encode() == text
    except RecursionError:
        whole = False
    if not whole:
        raise ValueError("it is not what was written")
    assert isinstance(content, dict)
    return content
