"""Define what a check is, and run the checks of a kind of plugin."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from inspect import getdoc
from typing import Literal

from ..core.conformance import random_state
from ..core.errors import GanstrataError, UserError, nearest
from ..core.messages import listed, visible
from ..core.plugins.registry import Kind
from .subject import Subject

Run = Callable[[Subject], None]
Verdict = Literal["ok", "failed", "skipped"]


class NotConforming(AssertionError):
    """Say which promise a plugin breaks, and what to change in it."""


class DoesNotApply(Exception):
    """Say why a check does not apply to a plugin, such as that it has one layer."""


@dataclass(frozen=True)
class Check:
    """Represent one promise of a kind of plugin.

    Attributes:
        kind: generator, scorer or boundary.
        name: name of the promise, such as `batch_does_not_change_a_picture`.
        promise: the promise in a sentence.
        since: version of ganstrata that has had it since.
        run: raises if a plugin breaks the promise.
    """

    kind: Kind
    name: str
    promise: str
    since: str
    run: Run


@dataclass(frozen=True)
class Outcome:
    """Hold how a check ended.

    Attributes:
        check: the check.
        verdict: ok, failed or skipped.
        message: what to change if it failed, or why it does not apply.
    """

    check: Check
    verdict: Verdict
    message: str = ""


_CHECKS: dict[Kind, dict[str, Check]] = {"generator": {}, "scorer": {}, "boundary": {}}


def check(kind: Kind, since: str = "0.1") -> Callable[[Run], Run]:
    """Register a function as a check: its name is that of the promise, its docstring says it."""

    def register(run: Run) -> Run:
        name = run.__name__
        promise = (getdoc(run) or "").splitlines()[0].rstrip(".")
        _CHECKS[kind][name] = Check(kind, name, promise, since, run)
        return run

    return register


def checks_of(kind: Kind) -> tuple[Check, ...]:
    """Return the checks of a kind of plugin, in the order in which they run.

    Raises:
        UserError: there is no such kind.

    >>> [check.name for check in checks_of("boundary")][:2]
    ['declarations_are_complete', 'config_is_strict']
    """
    from . import generator_checks, learner_checks, scorer_checks  # noqa: F401 - they register themselves

    if kind not in _CHECKS:
        raise UserError(f"there is no kind of plugin '{visible(str(kind))}': {', '.join(_CHECKS)}")
    return tuple(_CHECKS[kind].values())


def outcomes(subject: Subject) -> Iterator[Outcome]:
    """Run all checks of a plugin, one after the other.

    If it cannot be built, the first check says why, and the others are skipped.
    """
    broken = False
    for each in checks_of(subject.kind):
        if broken:
            yield Outcome(each, "skipped", "the plugin cannot be built")
            continue
        outcome = outcome_of(each, subject)
        broken = outcome.verdict == "failed" and not subject.is_built
        yield outcome


def outcome_of(each: Check, subject: Subject) -> Outcome:
    """Run one check. The global random states and settings of the process stay as they are."""
    try:
        with random_state.preserved():
            each.run(subject)
    except DoesNotApply as reason:
        return Outcome(each, "skipped", str(reason))
    except (NotConforming, GanstrataError) as fault:
        return Outcome(each, "failed", str(fault))
    return Outcome(each, "ok")


def check_names(kind: Kind, names: Mapping[str, str]) -> None:
    """Refuse names of expected failures that are no checks, or have no reason.

    Raises:
        UserError: the message names them.
    """
    known = [each.name for each in checks_of(kind)]
    for name, reason in names.items():
        if name not in known:
            raise UserError(
                f"there is no check '{visible(name)}' of a {kind}.{nearest(name, known)} "
                f"Checks: {listed(known, len(known))}"
            )
        if not isinstance(reason, str) or not reason.strip():
            raise UserError(f"the expected failure of '{name}' needs a reason")
