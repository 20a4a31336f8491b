"""Temporary files: two processes that write one file at once, and what a killed one leaves."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ganstrata.core.storage import partial
from ganstrata.core.storage.disk import write_bytes, written
from ganstrata.core.storage.partial import FORGOTTEN, is_partial, partial_file, sweep

locks = pytest.mark.skipif(os.name == "nt", reason="Windows has no such locks")
HALF = 200_000  # more bytes than a buffer has
WRITER = """
import sys
from pathlib import Path
from ganstrata.core.storage.disk import write_parts

letter, size = sys.argv[2].encode(), int(sys.argv[3])

def parts():
    yield letter * size
    print("half", flush=True)
    sys.stdin.readline()
    yield letter * size

write_parts(Path(sys.argv[1]), parts())
print("whole", flush=True)
"""
Writer = Callable[[Path, str], "subprocess.Popen[str]"]


@pytest.fixture
def writer() -> Iterator[Writer]:
    """writer(file, letter) starts a process that has written half of a file and waits for a line."""
    started: list[subprocess.Popen[str]] = []

    def start(file: Path, letter: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", WRITER, str(file), letter, str(HALF)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "half\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def finish(process: subprocess.Popen[str]) -> None:
    assert process.communicate("\n")[0] == "whole\n"


def test_two_processes_that_write_a_file_at_once_do_not_mix(writer: Writer, tmp_path: Path) -> None:
    file = tmp_path / "a.bin"
    first, second = writer(file, "a"), writer(file, "b")
    assert not file.exists()
    finish(second)
    assert file.read_bytes() == b"b" * 2 * HALF
    finish(first)
    assert file.read_bytes() == b"a" * 2 * HALF
    assert list(tmp_path.iterdir()) == [file]


@locks
def test_what_a_killed_process_leaves_goes_with_the_next_write(
    writer: Writer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed, alive = writer(tmp_path / "a.bin", "a"), writer(tmp_path / "b.bin", "b")
    killed.kill()
    killed.wait()
    write_bytes(tmp_path / "c.bin", b"c")
    left = [path.name for path in tmp_path.iterdir() if path.name != "c.bin"]
    assert len(left) == 1  # that of the one that still writes
    assert is_partial(left[0])
    finish(alive)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.bin", "c.bin"]
    assert (tmp_path / "b.bin").read_bytes() == b"b" * 2 * HALF


@pytest.mark.parametrize("old", [False, True])
def test_what_another_machine_may_be_writing_stays_for_a_day(old: bool, tmp_path: Path) -> None:
    """Its lock may not be seen from here."""
    file = tmp_path / ".ganstrata-00000000-0123456789abcdef.part"
    file.touch()
    if old:
        long_ago = file.stat().st_mtime - FORGOTTEN - 60
        os.utime(file, (long_ago, long_ago))
    sweep(tmp_path)
    assert file.exists() != old


@locks
def test_without_locks_a_file_stays_for_a_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(partial.fcntl, "flock", refused)
    with written(tmp_path / "a") as file:
        file.write(b"a")
        sweep(tmp_path)
    assert (tmp_path / "a").read_bytes() == b"a"


@locks
def test_a_file_that_is_taken_for_a_leftover_before_it_is_locked_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, swept = partial._lock, []

    def late(file: object) -> bool | None:
        if not swept:
            swept.append(True)
            sweep(tmp_path)
        return lock(file)  # type: ignore[arg-type]

    monkeypatch.setattr(partial, "_lock", late)
    with partial_file(tmp_path / "a") as file:
        file.write(b"a")
    assert (tmp_path / "a").read_bytes() == b"a"


def test_files_of_others_stay(tmp_path: Path) -> None:
    names = ["film.mkv.part", ".ganstrata-part", ".ganstrata-0123abcd-0123456789abcdef.partial", "a.part"]
    for name in names:
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (0, 0))
    write_bytes(tmp_path / "a", b"a")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*names, "a"])


def test_a_file_with_the_longest_name_is_written_and_a_longer_one_refused_in_words(tmp_path: Path) -> None:
    write_bytes(tmp_path / ("n" * 255), b"a")
    with pytest.raises(Exception, match=r"cannot write .* choose a place with a shorter path"):
        write_bytes(tmp_path / ("n" * 256), b"a")
    assert [path.name for path in tmp_path.iterdir()] == ["n" * 255]


@pytest.mark.skipif(os.name == "nt", reason="has no such permissions")
def test_others_may_read_a_file_as_far_as_the_process_lets_them(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    write_bytes(tmp_path / "a", b"a")
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "plain").stat().st_mode
