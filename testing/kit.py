"""Define what a check is, how one ends, and how one is run.

One mistake in a plugin can make several checks fail. So a check names those that it rests on. If one of them
fails too, it is the one to mend, and nothing is said about the promise of the other.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from inspect import getdoc
from typing import Literal

from ..core.conformance import random_state
from ..core.errors import GanstrataError
from ..core.plugins.plugin_info import Kind
from .subject import CannotBeBuilt, Subject

Verdict = Literal["ok", "failed", "skipped", "not judged"]
Run = Callable[[Subject], None]


class NotConforming(AssertionError):
    """Say which promise a plugin breaks, and what to change in it."""


class DoesNotApply(Exception):
    """Say why a check does not apply to a plugin, such as that it has one layer."""


@dataclass(frozen=True)
class Check:
    """Represent one promise of a kind of plugin.

    Attributes:
        kind: generator, scorer, boundary, engine or inverter.
        run: raises NotConforming or a GanstrataError if a plugin breaks the promise, and DoesNotApply if it
            cannot make it. Its name and the first line of its docstring are those of the promise.
        rests_on: the checks without which this one cannot be judged, the most likely causes first.
    """

    kind: Kind
    run: Run
    rests_on: tuple[Check, ...] = ()

    def __repr__(self) -> str:
        """Return the kind and the name, without the function and the checks on which it rests."""
        return f"<Check of a {self.kind}: {self.name}>"

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
        verdict: ok, failed, skipped (it does not apply), or not judged (a check on which it rests failed).
        message: what to change if it failed, or why it was skipped or not judged.
        because: name of the check that failed, if this one was not judged.
    """

    check: Check
    verdict: Verdict
    message: str = ""
    because: str = ""

    def __repr__(self) -> str:
        """Return the name of the check, how it ended, and why."""
        return f"<Outcome {self.verdict}: {self.check.name}{f': {self.message}' if self.message else ''}>"


def outcome_of(check: Check, subject: Subject, expected: Collection[str] = ()) -> Outcome:
    """Run one check. The global random states and settings of the process stay as they are.

    Args:
        check: the check.
        subject: the plugin; it remembers how its checks ended.
        expected: names of the checks whose failure is known. They are judged in any case, and are no reason
            not to judge others.
    """
    outcome = _run(check, subject)
    if outcome.verdict != "failed" or check.name in expected:
        return outcome
    cause = _cause(check, subject, expected)
    return _not_judged(check, cause) if cause else outcome


def _cause(check: Check, subject: Subject, expected: Collection[str]) -> str:
    """Return the name of the failed check furthest down among those on which a check rests; empty if none."""
    for other in check.rests_on:
        cause = _cause(other, subject, expected)
        if cause:
            return cause
        if _run(other, subject).verdict == "failed" and other.name not in expected:
            return other.name
    return ""


def _run(check: Check, subject: Subject) -> Outcome:
    """Run one check, unless this plugin has gone through it before."""
    if check not in subject.ended:
        try:
            with random_state.preserved():
                check.run(subject)
        except CannotBeBuilt as reason:
            outcome = _not_judged(check, reason.check)
        except DoesNotApply as reason:
            outcome = Outcome(check, "skipped", str(reason))
        except (NotConforming, GanstrataError) as fault:
            outcome = Outcome(check, "failed", str(fault))
        else:
            outcome = Outcome(check, "ok")
        subject.ended[check] = outcome
    return subject.ended[check]


def _not_judged(check: Check, cause: str) -> Outcome:
    return Outcome(check, "not judged", f"the check '{cause}' fails, on which this one rests", cause)
