"""Check the arguments of the functions that a user calls from Python."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any

from ..errors import UserError
from ..messages import visible


def require(call: str, name: str, value: object, kind: type, source: str) -> None:
    """Refuse an argument of another type, such as one of two that changed places.

    Args:
        call: the function, such as `learn()`.
        name: of the argument.
        value: that was given.
        kind: the type that it needs.
        source: what makes a value of this type.

    Raises:
        UserError: the value has another type.

    >>> require("rescore()", "probed", 3, str, "probe")
    Traceback (most recent call last):
    ...
    ganstrata.core.errors.UserError: rescore() needs a str as `probed`, from probe; it was given an int
    >>> require("learn()", "learner", bool, int, "load_learner")
    Traceback (most recent call last):
    ...
    ganstrata.core.errors.UserError: learn() needs an int as `learner`, from load_learner;
    it was given the class bool, not an instance
    """
    if not isinstance(value, kind):
        needed, given = _article(kind.__name__), _article(visible(type(value).__name__))
        if isinstance(value, type):
            given = f"the class {visible(value.__name__)}, not an instance"
        raise UserError(f"{call} needs {needed} as `{name}`, from {source}; it was given {given}")


def require_number(
    call: str,
    name: str,
    value: object,
    least: float,
    most: float = math.inf,
    *,
    whole: bool = True,
    optional: bool = False,
) -> None:
    """Refuse a number that is out of range.

    Args:
        call: the function, such as `train_from_masks()`.
        name: of the argument.
        value: that was given.
        least: smallest value that is allowed.
        most: largest value that is allowed.
        whole: whether it must be a whole number.
        optional: whether None stands for a default.

    Raises:
        UserError: it is not a number, or is out of range.

    >>> require_number("f()", "seed", -1, 0)
    Traceback (most recent call last):
    ...
    ganstrata.core.errors.UserError: f(): `seed` is -1; it must be a whole number of at least 0
    """
    kind: type[Any] = Integral if whole else Real  # which those of numpy are too
    if (value is None and optional) or (isinstance(value, kind) and least <= value <= most):
        return
    noun = "a whole number" if whole else "a number"
    raise UserError(f"{call}: `{name}` is {visible(repr(value))}; it must be {noun} {_range(least, most)}")


def whole_numbers(
    call: str, name: str, values: object, least: float, most: float = math.inf
) -> tuple[int, ...]:
    """Return several whole numbers, after checking them.

    Args:
        call: the function, such as `draw_to_annotate()`.
        name: of the argument.
        values: that were given.
        least: smallest value that is allowed.
        most: largest value that is allowed.

    Raises:
        UserError: they are not a sequence, there are none, or one is not a whole number or out of range.

    >>> whole_numbers("f()", "shots", [1, 4], 1)
    (1, 4)
    >>> whole_numbers("f()", "shots", [1.5], 1)
    Traceback (most recent call last):
    ...
    ganstrata.core.errors.UserError: f(): `shots` is [1.5]; it must be whole numbers of at least 1
    """
    found = list(values) if isinstance(values, Iterable) and not isinstance(values, str | Mapping) else []
    if not found or not all(isinstance(one, Integral) and least <= int(one) <= most for one in found):
        raise UserError(
            f"{call}: `{name}` is {visible(repr(values))}; it must be whole numbers {_range(least, most)}"
        )
    return tuple(map(int, found))


def _range(least: float, most: float) -> str:
    return f"of at least {least:g}" if most == math.inf else f"from {least:g} to {most:g}"


def several(names: str | Sequence[str]) -> Sequence[str]:
    """Return names as a sequence; one name may stand alone.

    >>> several("all"), several(["all", "each"])
    (('all',), ['all', 'each'])
    """
    return (names,) if isinstance(names, str) else names


def _article(noun: str) -> str:
    return f"{'an' if noun[:1] in 'AEIOUaeiou' else 'a'} {noun}"
