"""Commands as processes that tests wait for, inspect and kill."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

DEADLINE = 120.0

ENGINES = {
    "ray": ("ray", ["engine.use=ray"]),
    "slurm": ("submitit", ["engine.use=slurm", "engine.with.cluster=local"]),
}
"""Name -> the package that it needs, and what is set in the config."""

needs_proc = pytest.mark.skipif(
    not Path("/proc/self/task").exists(), reason="finds a command's workers through /proc"
)


def until(condition: Callable[[], bool]) -> None:
    """Wait for something that must happen."""
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end, "what the test waits for did not happen"
        time.sleep(0.01)


def children(pid: int) -> list[int]:
    """Processes that a process has started; none if it is gone."""
    try:
        return [
            int(child)
            for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()
        ]
    except OSError:
        return []


def is_alive(pid: int) -> bool:
    """Return whether a process runs and is not a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def marks(run: Path, name: str) -> int:
    """Pieces of an array that are finished."""
    return len(list((run / name / "done").glob("0*.json")))
