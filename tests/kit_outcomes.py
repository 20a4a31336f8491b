"""Run one check of the conformance kit on one plugin, as the tests of the kit do."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest
from ganstrata.testing import DoesNotApply, Outcome, checks_of
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
