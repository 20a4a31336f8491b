"""Check the arguments of the functions that a user calls from Python."""

from __future__ import annotations

from collections.abc import Sequence

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


def several(names: str | Sequence[str]) -> Sequence[str]:
    """Return names as a sequence; one name may stand alone.

    >>> several("all"), several(["all", "each"])
    (('all',), ['all', 'each'])
    """
    return (names,) if isinstance(names, str) else names


def _article(noun: str) -> str:
    return f"{'an' if noun[:1] in 'AEIOUaeiou' else 'a'} {noun}"
