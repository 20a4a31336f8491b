"""Keeps truth values out of numbers: to Python `True` is 1, and to whoever wrote `samples: yes` it is not."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, GetCoreSchemaHandler
from pydantic_core import CoreSchema, PydanticKnownError, core_schema

NUMBERS = {
    "int": "int_type",
    "float": "float_type",
}  # kinds of fields, and what pydantic calls a value of another kind


def _refusing(error: str) -> Any:
    def refuse(value: Any) -> Any:
        if isinstance(value, bool):
            raise PydanticKnownError(error)  # type: ignore[arg-type]
        return value

    return refuse


_REFUSE = {kind: _refusing(error) for kind, error in NUMBERS.items()}


def _guarded(schema: Any) -> Any:
    """The same schema with every number in it guarded; fields that are strict guard themselves."""
    if isinstance(schema, list):
        return [_guarded(item) for item in schema]
    if isinstance(schema, tuple):
        return tuple(_guarded(item) for item in schema)
    if not isinstance(schema, dict):
        return schema
    kind = schema.get("type")
    if not isinstance(kind, str):  # a mapping of names, of which one may be `type`
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
    """Base of configs: a field of a number, wherever in lists, mappings and unions, takes no truth value."""

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: type[BaseModel], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """As of any model, with a look at what numbers are made of."""
        guarded: CoreSchema = _guarded(handler(source))
        return guarded
