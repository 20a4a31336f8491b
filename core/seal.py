"""A digest that a JSON document carries of itself, so that a changed byte is noticed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

KEY = "digest"


def sealed(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content with a digest of all its other keys.

    >>> document = sealed({"b": [1, 2], "a": 0.1})
    >>> is_sealed(document), is_sealed(document | {"a": 0.2})
    (True, False)
    """
    kept = {key: value for key, value in content.items() if key != KEY}
    return kept | {KEY: _digest(kept)}


def is_sealed(content: Mapping[str, Any]) -> bool:
    """Tell whether a document is what `sealed` made of it."""
    return KEY in content and content == sealed(content)


def _digest(content: Mapping[str, Any]) -> str:
    # As it will be read back: keys become text, tuples lists.
    plain = json.loads(json.dumps(content))
    return hashlib.sha256(json.dumps(plain, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
