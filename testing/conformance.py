"""Turn the checks of a plugin into a pytest function, or into a list of outcomes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from ..core.plugins.base import Plugin
from ..core.plugins.kinds import has_kind
from ..core.plugins.plugin_info import Kind
from .checks import check_names, checks_of, outcomes
from .kit import Check, Outcome, outcome_of
from .subject import GeneratorSource, Subject

NONE: Mapping[str, Any] = MappingProxyType({})


def check_plugin(
    kind: Kind,
    plugin: type[Plugin] | str,
    config: Mapping[str, Any] = NONE,
    *,
    generator: GeneratorSource = None,
) -> list[Outcome]:
    """Run every check of a plugin, and return how each ended.

    Args:
        kind: generator, scorer, boundary, engine or inverter.
        plugin: the class, or the name under which it is registered.
        config: its options.
        generator: of the feature maps that a scorer reads, or of what an inverter inverts; or a function that
            builds it.

    Raises:
        UserError: there is no such plugin, or it is of another kind.

    >>> [o.check.name for o in check_plugin("scorer", "hue") if o.verdict == "failed"]
    []
    """
    subject = Subject(kind, plugin, config, generator)
    if not has_kind(kind, plugin):  # a class with a wrong Config fails a check
        _ = subject.plugin_class  # raises if there is none
    return list(outcomes(subject))


def conformance(
    kind: Kind,
    plugin: type[Plugin] | str,
    config: Mapping[str, Any] = NONE,
    *,
    generator: GeneratorSource = None,
    expected_failures: Mapping[str, str] = NONE,
) -> Callable[[Check], None]:
    """Return a pytest function with one case per check.

    `test_mine = conformance("scorer", Mine)` in a test file is all that is needed. Cases are named after
    the promises, so that `pytest -k batch` runs those on batches. A check that does not apply is skipped. So
    is one that fails together with a check on which it rests, such as all others if the plugin cannot be
    built: one mistake is told once, by the case that is nearest to it.

    Args:
        kind: generator, scorer, boundary, engine or inverter.
        plugin: the class, or the name under which it is registered.
        config: its options.
        generator: of the feature maps that a scorer reads, or of what an inverter inverts; or a function that
            builds it.
        expected_failures: name of a check -> the reason why it fails. Such a case must fail: if it passes one
            day, pytest says so.

    Raises:
        UserError: a name among the expected failures is not a check, or has no reason.
    """
    import pytest

    check_names(kind, expected_failures)
    subject = Subject(kind, plugin, config, generator)
    cases = [
        pytest.param(
            each,
            id=each.name,
            marks=[pytest.mark.xfail(reason=expected_failures[each.name], strict=True)]
            if each.name in expected_failures
            else [],
        )
        for each in checks_of(kind)
    ]

    @pytest.mark.parametrize("check", cases)
    def test(check: Check) -> None:
        outcome = outcome_of(check, subject, expected_failures.keys())
        if outcome.verdict in ("skipped", "not judged"):
            pytest.skip(outcome.message)
        if outcome.verdict == "failed":
            pytest.fail(f"{check.name}: {outcome.message}", pytrace=False)

    return test
