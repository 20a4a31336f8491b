"""Hostile files by the thousand: each is read or refused in time and memory, with a short message."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from hostile_files import hostile_file
from hostile_runs import fuzz


def test_hostile_files(tmp_path: Path) -> None:
    fuzz(hostile_file, 1, range(150), tmp_path)


@pytest.mark.full
@pytest.mark.timeout(4 * 3600)
def test_many_hostile_files(tmp_path: Path) -> None:
    fuzz(hostile_file, int(os.environ.get("GANSTRATA_FUZZ_SEED", "2")), range(10_000), tmp_path)


def test_a_seed_makes_the_same_files_at_any_time(monkeypatch: pytest.MonkeyPatch) -> None:
    files = [hostile_file(5, number) for number in range(60)]
    assert "torch zip" in {kind for kind, _, _ in files}
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 3600)  # archives hold the date of their members
    assert [hostile_file(5, number) for number in range(60)] == files
