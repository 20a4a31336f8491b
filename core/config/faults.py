"""Convert pydantic's validation errors to faults with a place and a plain message."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from ..errors import Fault, nearest
from ..messages import quantity, shown
from ..storage.urls import without_credentials

Path = tuple[str | int, ...]

_SHAPES = {  # the expected value, with the types of errors that mean nothing more
    "a list": ("list_type", "tuple_type", "iterable_type"),
    "a section with keys and values": (
        "dict_type",
        "mapping_type",
        "model_type",
        "model_attributes_type",
        "dataclass_type",
    ),
}
_VALUES = {
    "text": ("string_type", "string_sub_type", "path_type"),
    "an integer": ("int_type", "int_parsing", "int_from_float"),
    "a number": ("float_type", "float_parsing"),
    "true or false": ("bool_type", "bool_parsing"),
    "a finite number": ("finite_number",),
    "left empty": ("none_required",),
    "an integer of at most 4300 digits": ("int_parsing_size",),
}
NO_OPTION = "is not an option"
_EXPECTED = {kind: words for table in (_SHAPES, _VALUES) for words, kinds in table.items() for kind in kinds}
_BOUNDS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "greater_than": lambda c: f"must be greater than {_number(c['gt'])}",
    "greater_than_equal": lambda c: f"must be greater than or equal to {_number(c['ge'])}",
    "less_than": lambda c: f"must be less than {_number(c['lt'])}",
    "less_than_equal": lambda c: f"must be less than or equal to {_number(c['le'])}",
    "multiple_of": lambda c: f"must be a multiple of {_number(c['multiple_of'])}",
    "literal_error": lambda c: f"must be {c['expected']}",
    "enum": lambda c: f"must be {c['expected']}",
    "too_short": lambda c: (
        f"must have at least {quantity(c['min_length'], 'item')}, but has {c['actual_length']}"
    ),
    "too_long": lambda c: (
        f"must have at most {quantity(c['max_length'], 'item')}, but has {c['actual_length']}"
    ),
    "string_too_short": lambda c: f"must have at least {quantity(c['min_length'], 'character')}",
    "string_too_long": lambda c: f"must have at most {c['max_length']} characters",
    "string_pattern_mismatch": lambda c: f"must have the form {c['pattern']}",
}


@dataclass
class _Place:
    """The faults at one place of the data.

    Attributes:
        reasons: why the value is wrong; several if it may be of several types.
        suffix: the value in parentheses, or nothing.
        is_shape: whether the only fault is the type of the value, such as a number in place of a section.
    """

    reasons: list[str]
    suffix: str
    is_shape: bool


def describe(
    error: ValidationError, model: type[BaseModel], data: object, path: Path = (), owner: str = ""
) -> list[Fault]:
    """Return a fault for each place of the data, with the value, the allowed values and the nearest name.

    Args:
        error: the error of the validation.
        model: the model of the data.
        data: the validated data.
        path: path of the data in the config.
        owner: the plugin to which the options belong, for messages.
    """
    places: dict[Path, _Place] = {}
    for item in error.errors(include_url=False):
        where, branches = locate(item["loc"], item["type"], item["input"], data)
        kind, suffix = item["type"], ""
        if kind == "extra_forbidden":
            known = _names_at(model, where[:-1], branches)
            reason = (
                f"{NO_OPTION}{f' of {owner}' if owner else ''}.{nearest(str(where[-1]), known)} "
                f"Allowed: {', '.join(known) or 'none'}"
            )
        elif kind == "missing":
            field = _field_at(model, where, branches)
            reason = "is missing" + (
                f" ({field.description})" if field is not None and field.description else ""
            )
        else:
            reason = reason_of(item["type"], item["msg"], item.get("ctx", {}))
            suffix = "" if isinstance(item["input"], Mapping) else f" (got {_shown(item['input'])})"
        place = places.setdefault(where, _Place([], suffix, is_shape=True))
        place.is_shape &= kind in _EXPECTED
        if reason not in place.reasons:
            place.reasons.append(reason)
    return [
        Fault((*path, *where), _joined(place.reasons) + place.suffix)
        for where, place in places.items()
        # If a value may be of several types and has a fault within it, report only the inner fault.
        if not (place.is_shape and any(other[: len(where)] == where and other != where for other in places))
    ]


def _shown(value: object) -> str:
    """Return a value for a message; a URL without the credentials in it."""
    return shown(without_credentials(value) if isinstance(value, str) else value, 60)


def locate(loc: Sequence[str | int], kind: str, value: object, data: object) -> tuple[Path, tuple[str, ...]]:
    """Split pydantic's location of an error into the keys of the data and the branches of unions.

    If a value may be of several types, pydantic puts the name of the type into the location. The name may be
    any text, such as `int` or that of a class, and so may also be a key of the data. A part of the location
    is taken for a key if following it leads to the value of the error.

    Example:
        >>> value = {"int": 3}
        >>> locate(("a", "int"), "int_type", value, {"a": value})
        (('a',), ('int',))
        >>> locate(("a", "int"), "string_type", 3, {"a": value})
        (('a', 'int'), ())
    """
    steps, missing_key = (loc[:-1], loc[-1:]) if kind == "missing" else (loc, ())
    candidates: list[tuple[Path, tuple[str, ...], object]] = [((), (), data)]  # (path, branches, value there)
    for part in steps:
        extended: list[tuple[Path, tuple[str, ...], object]] = []
        for path, branches, current in candidates:
            if isinstance(part, int):
                item = current[part] if isinstance(current, list | tuple) and part < len(current) else None
                extended.append(((*path, part), branches, item))
                continue
            if isinstance(current, Mapping) and part in current:
                extended.append(((*path, part), branches, current[part]))
            extended.append((path, (*branches, part), current))
        candidates = extended[:64]
    path, branches, _ = next((each for each in candidates if each[2] is value), candidates[0])
    return (*path, *missing_key), branches


def reason_of(kind: str, message: str, context: Mapping[str, Any]) -> str:
    """Return what is wrong with a value, in our own words for the known types of errors.

    Args:
        kind: pydantic's type of the error.
        message: pydantic's message.
        context: limits and other values of the error.
    """
    if kind in _EXPECTED:
        return f"must be {_EXPECTED[kind]}"
    if kind in _BOUNDS:
        return _BOUNDS[kind](context)
    text = (
        message.removeprefix("Value error, ")
        .removeprefix("Assertion failed, ")
        .replace("Input should be", "must be")
    )
    return f"{text[:1].lower()}{text[1:]}"


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) and abs(value) < 1e20 else str(value)


def _joined(reasons: Sequence[str]) -> str:
    """Join the reasons, of which there is one for each type that a value may have."""
    return ", or ".join([reasons[0], *(reason.removeprefix("must be ") for reason in reasons[1:])])


def _names_at(model: type[BaseModel], path: Path, branches: Sequence[str]) -> list[str]:
    """Return the names of the options allowed at a path."""
    names = [
        info.alias or key
        for candidate in _models_at(model, path, branches)
        for key, info in candidate.model_fields.items()
    ]
    return list(dict.fromkeys(names))


def _field_at(model: type[BaseModel], path: Path, branches: Sequence[str]) -> FieldInfo | None:
    fields = (_field(candidate, path[-1]) for candidate in _models_at(model, path[:-1], branches))
    return next((field for field in fields if field is not None), None)


def _models_at(model: type[BaseModel], path: Path, branches: Sequence[str]) -> list[type[BaseModel]]:
    """Return the models that the value at a path may have, restricted to those in `branches` if any are."""
    models = [model]
    for part in path:
        if isinstance(part, int):
            continue  # _models_in already looks into the types of items
        fields = (_field(candidate, part) for candidate in models)
        models = [inner for field in fields if field is not None for inner in _models_in(field.annotation)]
        models = [candidate for candidate in models if candidate.__name__ in branches] or models
    return models


def _field(model: type[BaseModel], name: str | int) -> FieldInfo | None:
    return next((info for key, info in model.model_fields.items() if name in (key, info.alias)), None)


def _models_in(annotation: object) -> list[type[BaseModel]]:
    """Return the models in an annotation, also within lists, mappings and unions."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in _models_in(argument)]
