"""A disk that is full, and files that may not grow: a run stops in words, and goes on when there is room."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import Result
from ganstrata.core.runs.run import Run

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits files and disks as Linux does")


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """Limit the size of files that this process writes."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    # Python ignores the signal, so that writing is an error.
    assert signal.getsignal(signal.SIGXFSZ) == signal.SIG_IGN
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def check_stopped(result: Result, reason: str, run: Path) -> None:
    assert result.exit_code == 1, result.stderr
    assert isinstance(result.exception, SystemExit)
    assert "Error: cannot write" in result.stderr
    assert reason in result.stderr
    assert "make room, then run the same command again" in result.stderr
    assert not list(run.rglob("*.part"))


def test_files_that_may_not_grow_stop_the_run(
    invoke: Callable[..., Result], written, config, finished: Run, contents, tmp_path: Path
) -> None:
    run, stopped = tmp_path / "run", 0
    sizes = sorted(file.stat().st_size for file in finished.path.rglob("*") if file.is_file())
    for size in (sizes[-1] // 2, sizes[len(sizes) * 3 // 4], sizes[-1] + 4096):
        with files_up_to(size):
            result = invoke("run", written(config), "--out", run, "--quiet")
        if result.exit_code:
            check_stopped(result, "File too large", run)
            stopped += 1
    assert result.exit_code == 0, result.stderr
    assert stopped > 0
    assert contents(run) == contents(finished.path)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[tuple[Path, Callable[[int], None]]]:
    """Return an empty disk, and a function that gives it so many KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if os.geteuid() != 0 or mounted.returncode != 0:
        pytest.skip("may not mount a disk")

    def give(size: int) -> None:
        subprocess.run(["mount", "-o", f"remount,size={size}k", str(disk)], check=True)

    yield disk, give
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_disk_that_is_full_stops_the_run(
    invoke: Callable[..., Result], written, config, finished: Run, contents, small_disk
) -> None:
    disk, give = small_disk
    run, stopped = disk / "run", 0
    for size in (256, 384, 512, 65536):
        give(size)
        result = invoke("run", written(config), "--out", run, "--quiet")
        if result.exit_code:
            check_stopped(result, "No space left on device", run)
            stopped += 1
    assert result.exit_code == 0, result.stderr
    assert stopped > 0
    assert contents(run) == contents(finished.path)
