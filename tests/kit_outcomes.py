"""Run one check of the conformance kit on one plugin, as the tests of the kit do."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest
from ganstrata.testing import DoesNotApply, Outcome, check_plugin, checks_of
from ganstrata.testing.kit import outcome_of
from ganstrata.testing.second_device import device
from ganstrata.testing.subject import Subject


def outcome(
    kind: str, plugin: type | str, name: str, config: Mapping[str, Any] = MappingProxyType({}), generator=None
) -> Outcome:
    """How the check of this name ends."""
    (check,) = (check for check in checks_of(kind) if check.name == name)
    return outcome_of(check, Subject(kind, plugin, config, generator))


def failure(kind: str, plugin: type | str, name: str) -> str:
    """What the check of this name says; the test is skipped where there is no stand-in for a device."""
    if name == "everything is on its device":
        try:
            device()
        except DoesNotApply as reason:
            pytest.skip(str(reason))
    ended = outcome(kind, plugin, name)
    return ended.message if ended.verdict == "failed" else f"{ended.verdict}: {ended.message}"


def assert_told_once(kind: str, plugin: type, name: str, cure: str) -> None:
    """Run all checks; only the one of this name may fail, and others name it as the reason."""
    if name == "everything is on its device":
        failure(kind, plugin, name)  # may skip the test
    ended = {outcome.check.name: outcome for outcome in check_plugin(kind, plugin)}
    assert {each: o.message for each, o in ended.items() if o.verdict == "failed"}.keys() == {name}
    assert cure in ended[name].message
    assert {o.because for o in ended.values() if o.verdict == "not judged"} <= {name}
