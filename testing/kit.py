"""Define what a check is, how one ends, and how one is run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from inspect import getdoc
from typing import Literal

from ..core.conformance import random_state
from ..core.errors import GanstrataError
from ..core.plugins.registry import Kind
from .subject import CannotBeBuilt, Subject

Verdict = Literal["ok", "failed", "skipped", "not run"]


class NotConforming(AssertionError):
    """Say which promise a plugin breaks, and what to change in it."""


class DoesNotApply(Exception):
    """Say why a check does not apply to a plugin, such as that it has one layer."""


@dataclass(frozen=True)
class Check:
    """Represent one promise of a kind of plugin.

    Attributes:
        kind: generator, scorer or boundary.
        run: raises NotConforming or a GanstrataError if a plugin breaks the promise, and DoesNotApply if it
            cannot make it. Its name and the first line of its docstring are those of the promise.
    """

    kind: Kind
    run: Callable[[Subject], None]

    @property
    def name(self) -> str:
        """Name of the promise, such as `batch does not change a picture`."""
        return self.run.__name__.replace("_", " ")

    @property
    def promise(self) -> str:
        """The promise in a sentence, without the full stop."""
        return (getdoc(self.run) or "").partition("\n")[0].rstrip(".")


@dataclass(frozen=True)
class Outcome:
    """Hold how a check ended.

    Attributes:
        check: the check.
        verdict: ok, failed, skipped (it does not apply), or not run (the plugin cannot be built).
        message: what to change if it failed, or why it was skipped or not run.
    """

    check: Check
    verdict: Verdict
    message: str = ""


def outcome_of(check: Check, subject: Subject) -> Outcome:
    """Run one check. The global random states and settings of the process stay as they are."""
    try:
        with random_state.preserved():
            check.run(subject)
    except CannotBeBuilt as reason:
        return Outcome(check, "not run", str(reason))
    except DoesNotApply as reason:
        return Outcome(check, "skipped", str(reason))
    except (NotConforming, GanstrataError) as fault:
        return Outcome(check, "failed", str(fault))
    return Outcome(check, "ok")
