"""Check in tests that plugins keep their promises: the conformance kit.

Example:
    test_mine = conformance("generator", MyGan, config={"checkpoint": "my.pt"})

is a pytest function with a case for each promise. `ganstrata plugins check NAME` and `check_plugin` run the
same checks without pytest.
"""

from __future__ import annotations

from .checks import checks_of
from .conformance import check_plugin, conformance
from .kit import Check, DoesNotApply, NotConforming, Outcome
from .scorer_checks import pictures

__all__ = [
    "Check",
    "DoesNotApply",
    "NotConforming",
    "Outcome",
    "check_plugin",
    "checks_of",
    "conformance",
    "pictures",
]
