"""Freed memory is kept if the C library allows it."""

from __future__ import annotations

import subprocess
import sys

import pytest
from ganstrata.core.runs import malloc as memory

# Allocates and frees 40 MiB, more than glibc keeps by default; prints the page faults of one round.
ROUNDS = """
import resource
import torch
from ganstrata.core.runs.malloc import keep_freed_memory

if {keep}:
    assert keep_freed_memory()
torch.set_num_threads(1)
for _ in range(20):  # until freed blocks lie ready
    torch.ones(10 * 2**20)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    torch.ones(10 * 2**20)
print((resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) // 5)
"""


def faults(keep: bool) -> int:
    run = subprocess.run(
        [sys.executable, "-c", ROUNDS.format(keep=keep)], check=True, capture_output=True, text=True
    )
    return int(run.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc is on Linux")
def test_memory_is_taken_from_the_system_once() -> None:
    if not memory.keep_freed_memory():
        pytest.skip("this C library has no mallopt")
    assert faults(keep=True) < 200 < 1000 < faults(keep=False)


def test_elsewhere_nothing_is_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory.sys, "platform", "darwin")
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda *_: pytest.fail("no library is to be opened"))
    assert memory.keep_freed_memory() is False


def test_a_library_without_the_call_is_not_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory.sys, "platform", "linux")
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda *_: object())
    assert memory.keep_freed_memory() is False
