"""Say of which class a picture is, for generators that know classes."""

from __future__ import annotations

from torch import Tensor

from ...core.errors import UserError
from ...core.plugins.base import owner_of
from ...core.plugins.generator import Generator
from ...core.plugins.inverter import InversionTask
from ...core.randomness import Stream


def is_conditional(generator: Generator) -> bool:
    """Return whether samples of a generator have a condition."""
    return generator.sample(1, 0, 0, Stream.PROBING).condition is not None


def required(task: InversionTask, step: str) -> Tensor | None:
    """Return the condition of the pictures; None for a generator without classes.

    Raises:
        UserError: the generator needs one, and none was given.
    """
    if task.condition is None and is_conditional(task.generator):
        raise UserError(
            f"{owner_of(task.generator)} makes pictures of classes, and `{step}` cannot find out which "
            "class a picture is of: give its class, or begin with `best` or `classes`, which try them"
        )
    return task.condition
