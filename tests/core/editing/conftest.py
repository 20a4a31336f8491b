"""Edits of pictures of a small run."""

from __future__ import annotations

from pathlib import Path

import ganstrata
import pytest
from ganstrata.core.editing.manipulate import Manipulated


@pytest.fixture
def manipulate(fakes, copied: Path):
    """Return manipulate("seen/red", ...), which edits pictures of a copy of the run."""

    def call(*along: str, **rest) -> Manipulated:
        return ganstrata.manipulate(copied, along, **{"kinds": ()} | rest)

    return call
