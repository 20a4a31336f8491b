"""Convert a plugin's config to plain data, including fields that its own serialisation omits or hides."""

from __future__ import annotations

import enum
import json
import os
import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from pydantic import BaseModel, SecretBytes, SecretStr

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")  # of an object in memory: differs between processes


def contents(value: Any) -> Any:
    """Return a config as plain data, keyed by the names (aliases) of its fields; paths stay paths.

    Fields with `exclude=True`, fields of derived models, and secrets are included. Sets become lists whose
    order is the same in all processes.

    >>> contents({"a": {"y", "x"}, "b": SecretStr("s")})
    {'a': ['x', 'y'], 'b': 's'}
    """
    if value is None or (
        isinstance(value, bool | int | float | str | os.PathLike) and not isinstance(value, enum.Enum)
    ):
        return value
    if isinstance(value, BaseModel):
        declared = {
            field.serialization_alias or field.alias or name: contents(getattr(value, name))
            for name, field in type(value).model_fields.items()
        }
        return declared | {name: contents(item) for name, item in (value.model_extra or {}).items()}
    if isinstance(value, Mapping):
        return {str(key): contents(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [contents(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted(
            (contents(item) for item in value), key=lambda item: json.dumps(item, sort_keys=True, default=str)
        )
    if isinstance(value, enum.Enum):
        return contents(value.value)
    if isinstance(value, SecretStr | SecretBytes):
        return contents(value.get_secret_value())
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: contents(getattr(value, field.name)) for field in fields(value)}
    return _ADDRESS.sub("", repr(value))


def canonical_text(config: BaseModel) -> str:
    """Return text that is equal for equal configs in all processes.

    This is the model's own JSON, or the JSON of `contents` if the model's own omits something.
    """
    dumped = config.model_dump_json()
    full = contents(config)
    same = json.dumps(json.loads(dumped), sort_keys=True) == json.dumps(full, sort_keys=True, default=str)
    return dumped if same and not _holds_sets(config) else json.dumps(full, sort_keys=True, default=str)


def _holds_sets(value: Any) -> bool:
    if isinstance(value, BaseModel):
        return any(_holds_sets(getattr(value, name)) for name in type(value).model_fields)
    if isinstance(value, Mapping):
        return any(map(_holds_sets, value.values()))
    return isinstance(value, set | frozenset) or (
        isinstance(value, list | tuple) and any(map(_holds_sets, value))
    )
