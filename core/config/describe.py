"""Says in plain words, at the right place, what is wrong with data that do not fit a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from ..errors import Fault, nearest
from ..text import shown

Path = tuple[str | int, ...]

_SHAPES = {  # what was expected, by the kinds of errors that say nothing more of the value
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
    "an integer, that is a whole number": ("int_type", "int_parsing", "int_from_float"),
    "a number": ("float_type", "float_parsing"),
    "true or false": ("bool_type", "bool_parsing"),
    "a finite number": ("finite_number",),
    "left empty": ("none_required",),
    "an integer of at most 4300 digits": ("int_parsing_size",),
}
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
        f"must have at least {c['min_length']} item{'s' * (c['min_length'] != 1)}, but has {c['actual_length']}"
    ),
    "too_long": lambda c: (
        f"must have at most {c['max_length']} item{'s' * (c['max_length'] != 1)}, but has {c['actual_length']}"
    ),
    "string_too_short": lambda c: (
        f"must have at least {c['min_length']} character{'s' * (c['min_length'] != 1)}"
    ),
    "string_too_long": lambda c: f"must have at most {c['max_length']} characters",
    "string_pattern_mismatch": lambda c: f"must have the form {c['pattern']}",
}


@dataclass
class _Place:
    """What is wrong at one place of the data."""

    reasons: list[str]
    given: str
    is_shape: bool  # only that the value is of the wrong kind, such as a number for a section


def describe(
    error: ValidationError, model: type[BaseModel], data: object, path: Path = (), owner: str = ""
) -> list[Fault]:
    """A fault for each place of the data: the value, what is allowed, the nearest name.

    Args:
        error: of validating the data.
        model: that the data were held against.
        data: as they were given.
        path: where the data stand.
        owner: whose options they are, for messages.
    """
    places: dict[Path, _Place] = {}
    for item in error.errors(include_url=False):
        where, branches = locate(item["loc"], item["type"], item["input"], data)
        kind, given = item["type"], ""
        if kind == "extra_forbidden":
            known = _names_at(model, where[:-1], branches)
            reason = f"is not an option{f' of {owner}' if owner else ''}.{nearest(str(where[-1]), known)} Allowed: {', '.join(known) or 'none'}"
        elif kind == "missing":
            field = _field_at(model, where, branches)
            reason = "is missing" + (
                f": {field.description}" if field is not None and field.description else ""
            )
        else:
            reason = reason_of(item["type"], item["msg"], item.get("ctx", {}))
            given = "" if isinstance(item["input"], Mapping) else f" (got {shown(item['input'], 60)})"
        place = places.setdefault(where, _Place([], given, is_shape=True))
        place.is_shape &= kind in _EXPECTED
        if reason not in place.reasons:
            place.reasons.append(reason)
    return [
        Fault((*path, *where), _joined(place.reasons) + place.given)
        for where, place in places.items()
        # A section that fits one of several kinds but for one key is at fault in that key alone.
        if not (place.is_shape and any(other[: len(where)] == where and other != where for other in places))
    ]


def locate(loc: Sequence[str | int], kind: str, value: object, data: object) -> tuple[Path, tuple[str, ...]]:
    """The keys of the data in pydantic's location of an error, and the branches of unions in it.

    Where a value may be of several kinds, pydantic puts the name of the kind into the location, which may be
    any text, `int` or a class's name, and so a key of the data too. The data decide: a part is a key where
    following it leads to the value that pydantic complains of.

    Example:
        >>> value = {"int": 3}
        >>> locate(("a", "int"), "int_type", value, {"a": value})
        (('a',), ('int',))
        >>> locate(("a", "int"), "string_type", 3, {"a": value})
        (('a', 'int'), ())
    """
    steps, last = (
        (loc[:-1], loc[-1:]) if kind == "missing" else (loc, ())
    )  # the last is the key that is not there
    ways: list[tuple[Path, tuple[str, ...], object]] = [((), (), data)]
    for part in steps:
        longer = []
        for path, branches, here in ways:
            if isinstance(part, int):
                longer.append(
                    (
                        (*path, part),
                        branches,
                        here[part] if isinstance(here, list | tuple) and part < len(here) else None,
                    )
                )
                continue
            if isinstance(here, Mapping) and part in here:
                longer.append(((*path, part), branches, here[part]))
            longer.append((path, (*branches, part), here))
        ways = longer[:64]
    path, branches, _ = next((way for way in ways if way[2] is value), ways[0])
    return (*path, *last), branches


def reason_of(kind: str, message: str, context: Mapping[str, Any]) -> str:
    """What is wrong with a value, without pydantic's own words where those are known."""
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
    """A value that fits no branch of a union has a reason for each."""
    return ", or ".join([reasons[0], *(reason.removeprefix("must be ") for reason in reasons[1:])])


def _names_at(model: type[BaseModel], path: Path, branches: Sequence[str]) -> list[str]:
    """Names of the options allowed at a path."""
    names = [
        info.alias or key
        for found in _models_at(model, path, branches)
        for key, info in found.model_fields.items()
    ]
    return list(dict.fromkeys(names))


def _field_at(model: type[BaseModel], path: Path, branches: Sequence[str]) -> FieldInfo | None:
    fields = (_field(found, path[-1]) for found in _models_at(model, path[:-1], branches))
    return next((field for field in fields if field is not None), None)


def _models_at(model: type[BaseModel], path: Path, branches: Sequence[str]) -> list[type[BaseModel]]:
    """The models that the value at a path may be; those that pydantic tried by name, where it names any."""
    current = [model]
    for part in path:
        if isinstance(part, int):
            continue  # an item of a list is what the list is of
        fields = (_field(found, part) for found in current)
        current = [inner for field in fields if field is not None for inner in _models_in(field.annotation)]
        tried = [found for found in current if found.__name__ in branches]
        current = tried or current
    return current


def _field(model: type[BaseModel], name: str | int) -> FieldInfo | None:
    return next((info for key, info in model.model_fields.items() if name in (key, info.alias)), None)


def _models_in(annotation: object) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for argument in get_args(annotation) for found in _models_in(argument)]
