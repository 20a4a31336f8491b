"""Define the base of all sections of a config."""

from __future__ import annotations

from typing import Any, get_origin

from pydantic import BaseModel, ConfigDict, model_validator

from ..plugins.strict_numbers import StrictNumbers


class Section(StrictNumbers):
    """Base of all sections: frozen, and unknown fields are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _empty_is_default(cls, data: Any) -> Any:
        # `synthesis:` with nothing below it is None in YAML: an empty section, which means its defaults.
        if not isinstance(data, dict):
            return data
        return {key: value for key, value in data.items() if value is not None or not cls._is_container(key)}

    @classmethod
    def _is_container(cls, key: object) -> bool:
        """Return whether an option is a section, a mapping or a list, and not a single value."""
        field = next((field for name, field in cls.model_fields.items() if key in (name, field.alias)), None)
        kind = None if field is None else get_origin(field.annotation) or field.annotation
        return isinstance(kind, type) and issubclass(kind, BaseModel | dict | list)
