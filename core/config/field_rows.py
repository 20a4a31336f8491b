"""Describe the fields of a config, one row each: what is allowed, the default, and the meaning."""

from __future__ import annotations

from collections.abc import Iterator
from types import EllipsisType, NoneType, UnionType
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

WORDS = {str: "text", int: "whole number", float: "number", bool: "true or false", NoneType: "none"}
LIMITS = (
    ("gt", "above"),
    ("ge", "at least"),
    ("lt", "below"),
    ("le", "at most"),
    ("multiple_of", "a multiple of"),
)


class Row(NamedTuple):
    """Hold what is to be said about a field.

    Attributes:
        path: its name, after those of the sections that it is in; `name[]` is a list of sections.
        allowed: type and limits in words.
        required: whether it must be given.
        default: as in JSON; None if it is required.
        meaning: its description, or that of its section.
        is_section: whether it is one section, whose fields have rows of their own.
    """

    path: str
    allowed: str
    required: bool
    default: Any
    meaning: str
    is_section: bool


def rows(model: type[BaseModel], *, quote: str = "") -> Iterator[Row]:
    """Yield a row for each field of a config and of its sections, in their order.

    Args:
        model: the class of the config.
        quote: what to write around values that are allowed by name.

    Example:
        >>> from ganstrata.core.config.schema import RunConfig
        >>> table = {row.path: row for row in rows(RunConfig)}
        >>> table["synthesis"].allowed, table["synthesis.seed"].default
        ('section', 0)
        >>> table["generator.use"].allowed, table["generator.use"].required
        ('text', True)
    """
    yield from _rows(model, "", quote, (model,))


def _rows(
    model: type[BaseModel], prefix: str, quote: str, outer: tuple[type[BaseModel], ...]
) -> Iterator[Row]:
    """Yield the rows of a section; one that contains itself is not followed any further."""
    for key, field in model.model_fields.items():
        path = f"{prefix}{field.alias or key}"
        section = _section(field.annotation)
        is_section = section is not None and field.annotation is section
        required = field.is_required()
        default = None if required else field.get_default(call_default_factory=True, validated_data={})
        yield Row(
            path,
            "section" if is_section else _allowed(field, quote),
            required,
            to_jsonable_python(default, by_alias=True, fallback=str),
            field.description or ((section.__doc__ or "").split("\n")[0] if section is not None else ""),
            is_section or (section is not None and not isinstance(default, list)),
        )
        if section is not None and section not in outer:
            inner = f"{path}[]." if _has_list(field.annotation) else f"{path}."
            yield from _rows(section, inner, quote, (*outer, section))


def _section(annotation: Any) -> type[BaseModel] | None:
    """Return the first class of a section in a type."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    sections = (_section(argument) for argument in get_args(annotation))
    return next((section for section in sections if section is not None), None)


def _has_list(annotation: Any) -> bool:
    return get_origin(annotation) is list or any(map(_has_list, get_args(annotation)))


def _allowed(field: FieldInfo, quote: str) -> str:
    limits = [
        f"{words} {_number(limit)}"
        for rule in _rules(field)
        for attribute, words in LIMITS
        if (limit := getattr(rule, attribute, None)) is not None
    ]
    return ", ".join([_type(field.annotation, quote), *dict.fromkeys(limits)])


def _rules(field: FieldInfo) -> list[Any]:
    """Return the limits of a field, and those of the branches of a union."""
    branches = [
        rule for argument in get_args(field.annotation) for rule in getattr(argument, "__metadata__", ())
    ]
    inner = [
        rule
        for branch in branches
        for rule in (branch.metadata if isinstance(branch, FieldInfo) else [branch])
    ]
    return [*field.metadata, *inner]


def _type(annotation: Any, quote: str) -> str:
    """Return a type in words: `whole number or none`."""
    if hasattr(annotation, "__metadata__"):
        return _type(annotation.__origin__, quote)
    if isinstance(annotation, type) and not get_args(annotation):
        return "section" if issubclass(annotation, BaseModel) else WORDS.get(annotation, annotation.__name__)
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " or ".join(f"{quote}{value}{quote}" for value in inner)
    if origin in (Union, UnionType):
        return " or ".join(_type(part, quote) for part in inner)
    if origin is list or (origin is tuple and isinstance(inner[-1], EllipsisType)):
        return f"list of {_type(inner[0], quote)}"
    if origin is tuple:
        return f"[{', '.join(_type(part, quote) for part in inner)}]"
    if origin is dict:
        return "mapping"
    return str(annotation).replace("typing.", "")


def _number(value: object) -> str:
    """Return a limit, which may be of any type that has an order."""
    if value == 2**63 - 1:
        return "2^63 - 1"
    return f"{value:g}" if isinstance(value, int | float) else str(value)
