"""Refuse booleans in numeric fields of configs: in Python `True` is 1, but `samples: yes` is a mistake."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, GetCoreSchemaHandler
from pydantic_core import CoreSchema, PydanticKnownError, core_schema

NUMBERS = {"int": "int_type", "float": "float_type"}
"""Types of pydantic's schemas, with pydantic's names for the error of a value of another type."""


def _refusing(error: str) -> Any:
    def refuse(value: Any) -> Any:
        if isinstance(value, bool):
            raise PydanticKnownError(error)  # type: ignore[arg-type]
        return value

    return refuse


_REFUSE = {kind: _refusing(error) for kind, error in NUMBERS.items()}


def _guarded(schema: Any) -> Any:
    """Return a schema whose numbers refuse booleans; strict fields do so anyway."""
    if isinstance(schema, list):
        return [_guarded(item) for item in schema]
    if isinstance(schema, tuple):
        return tuple(_guarded(item) for item in schema)
    if not isinstance(schema, dict):
        return schema
    kind = schema.get("type")
    if not isinstance(kind, str):  # a mapping by field name, with a field called `type` or none
        return {key: _guarded(value) for key, value in schema.items()}
    if kind in NUMBERS and not schema.get("strict"):
        return core_schema.no_info_before_validator_function(_REFUSE[kind], schema)
    if kind == "function-before" and schema.get("function", {}).get("function") in _REFUSE.values():
        return schema
    return {
        key: value if key in ("metadata", "default", "expected", "serialization") else _guarded(value)
        for key, value in schema.items()
    }


class StrictNumbers(BaseModel):
    """Base of configs: numeric fields, also within lists, mappings and unions, refuse booleans."""

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: type[BaseModel], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Return the schema of the model with guarded numbers."""
        guarded: CoreSchema = _guarded(handler(source))
        return guarded
