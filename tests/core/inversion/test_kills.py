"""Inversions that are killed: what is done is kept, nothing is half-written, and the end is the same."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from ganstrata.core.inversion.folder import invert_into
from ganstrata.core.inversion.page import PAGE
from ganstrata.core.runs.inversions import CODES, INDEX, read_inversion
from ganstrata.core.storage import disk
from ganstrata.core.storage.result_folder import faults_of, read_index
from inverted_fakes import layered, task
from processes import until

MORE = (1, 2, 3, 6, 17, 19)
SCRIPT = """
import sys
from pathlib import Path
from ganstrata.core.inversion.folder import invert_into
from inverted_fakes import task
invert_into(task(4, batch=1, steps=10), Path(sys.argv[1]))
"""


def started(out: Path, sleep: str) -> subprocess.Popen[bytes]:
    tests = str(Path(__file__).parents[2])
    path = os.pathsep.join(filter(None, [tests, os.environ.get("PYTHONPATH", "")]))
    environment = {**os.environ, "PYTHONPATH": path, "WALK_SLEEP": sleep}
    return subprocess.Popen([sys.executable, "-c", SCRIPT, str(out)], env=environment)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A folder that was not interrupted."""
    out = tmp_path_factory.mktemp("whole") / "out"
    invert_into(task(4, batch=1, steps=10), out)
    return out


def assert_same(out: Path, whole: Path) -> None:
    assert faults_of(out, INDEX) == []
    here, there = (read_index(path / INDEX) for path in (out, whole))
    assert here["finished"] is True
    assert here["files"].keys() == there["files"].keys()
    a, b = (read_inversion(path, layered()) for path in (out, whole))
    assert torch.allclose(a.inversion.codes, b.inversion.codes, atol=1e-5)
    for one, other in zip(a.records, b.records, strict=True):
        assert one["measures"]["psnr"] == pytest.approx(other["measures"]["psnr"], abs=1e-3)
    assert not list(out.rglob("*.part"))


def test_a_killed_inversion_goes_on_where_it_was(tmp_path, whole):
    out = tmp_path / "out"
    process = started(out, "0.05")
    try:
        until(lambda: len(list((out / "parts").glob("*.json"))) >= 2 or process.poll() is not None)
        os.kill(process.pid, signal.SIGKILL)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == -signal.SIGKILL
    assert read_index(out / INDEX)["finished"] is False
    assert not (out / CODES).exists()
    assert not (out / PAGE).exists()
    kept = {path: path.stat().st_mtime_ns for path in (out / "parts").glob("*.json")}
    assert 2 <= len(kept) < 4
    invert_into(task(4, batch=1, steps=10), out)
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert_same(out, whole)


WRITES = 20  # the index, four times two PNG, codes and facts, then codes, page and index


@pytest.mark.parametrize("last", [0, 4, WRITES - 2, *(pytest.param(n, marks=pytest.mark.full) for n in MORE)])
def test_whatever_write_was_the_last_the_same_command_goes_on(tmp_path, whole, monkeypatch, last):
    """The process ends in the middle of a write."""
    real, left = disk.write_parts, [0]

    def stopping(path, parts):
        if path.name.startswith("run.lock"):
            return real(path, parts)
        left[0] -= 1
        if left[0] < 0:
            with disk.written(path) as file:
                file.write(b"half")
                raise KeyboardInterrupt
        return real(path, parts)

    monkeypatch.setattr(disk, "write_parts", stopping)
    out, left[0] = tmp_path / "out", last
    with pytest.raises(KeyboardInterrupt):
        invert_into(task(4, batch=1, steps=10), out)
    if (out / INDEX).exists():
        assert read_index(out / INDEX)["finished"] is False
    left[0] = WRITES
    invert_into(task(4, batch=1, steps=10), out)
    assert_same(out, whole)
