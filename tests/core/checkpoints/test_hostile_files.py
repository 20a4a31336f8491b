"""Thousands of hostile files: each is read or refused in time and memory, with a short message; nothing runs.

A separate process reads them and is ended when it takes too long. A file that fails is kept, and can be made
again from the seed and its number: `hostile_file(seed, number)`.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ganstrata.core.text import MESSAGE
from hostile_files import KINDS, hostile_file

TESTS = Path(__file__).resolve().parents[2]
SECONDS = 20.0  # of a processor
PATIENCE = 120.0  # seconds, on a machine that has other things to do; the file is made in this time too
MEMORY = 1500.0  # MB
START = 120.0  # seconds until torch is imported, on a busy machine
TOGETHER = 250  # files that one process reads


class Reader:
    """A process that reads hostile files."""

    def __init__(self, folder: Path) -> None:
        paths = [str(TESTS), *(path for path in sys.path if path)]
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(paths),
            "PYTHONSAFEPATH": "1",
            "OMP_NUM_THREADS": "1",
        }
        command = [sys.executable, str(TESTS / "hostile_reader.py")]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, cwd=folder
        )
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        threading.Thread(target=self._listen, daemon=True).start()
        self.answer(START)

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put("")

    def answer(self, seconds: float) -> dict[str, Any] | None:
        """The next one; None if it does not come."""
        try:
            line = self._lines.get(timeout=seconds)
        except queue.Empty:
            return None
        found: dict[str, Any] | None = json.loads(line) if line else None
        return found

    def read(self, path: Path) -> dict[str, Any] | None:
        """What a file took; None if the process did not survive it, or not in time."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{path}\n")
        self._process.stdin.flush()
        return self.answer(PATIENCE)

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()


def faults(answer: dict[str, Any] | None) -> list[str]:
    """What is wrong with how a file was read."""
    if answer is None:
        return ["it was not read in time, or ended the process"]
    found = list(answer["crashes"])
    found += [f"it took {answer['seconds']:.1f} s"] if answer["seconds"] > SECONDS else []
    found += [f"it took {answer['memory']:.0f} MB"] if answer["memory"] > MEMORY else []
    found += [f"its message has {answer['length']} characters"] if answer["length"] > MESSAGE else []
    return found + (["its message has signs that cannot be printed"] if answer["hidden"] else [])


def answers(
    seed: int, numbers: Iterable[int], folder: Path, kept: Path
) -> Iterator[tuple[dict[str, Any], list[str]]]:
    """What every file took, and what was wrong with that; files with which something was wrong are kept."""
    reader = None
    try:
        for done, number in enumerate(numbers):
            kind, suffix, content = hostile_file(seed, number)
            path = folder / ("key.json" if suffix == ".json" else f"hostile{suffix}")
            path.write_bytes(content)
            if reader is not None and done % TOGETHER == 0:
                reader.end()
                reader = None
            reader = Reader(folder) if reader is None else reader
            answer = reader.read(path)
            found = faults(answer)
            if found:
                reader.end()
                reader = None
                (kept / f"{seed}_{number}{suffix}").write_bytes(content)
            path.unlink()
            yield {"number": number, "kind": kind, "size": len(content), **(answer or {})}, found
    finally:
        if reader is not None:
            reader.end()


def fuzz(seed: int, numbers: Iterable[int], tmp_path: Path) -> None:
    """Read files, print the highest costs, and fail with the seed and number of each file that misbehaved."""
    folder, kept = tmp_path / "read", tmp_path / "kept"
    folder.mkdir()
    kept.mkdir()
    failed: list[str] = []
    seen: list[dict[str, Any]] = []
    for answer, found in answers(seed, numbers, folder, kept):
        if found:
            failed.append(
                f"hostile_file({seed}, {answer['number']}), {answer['kind']}, "
                f"kept in {kept}: {'; '.join(found)}"
            )
            print(failed[-1], flush=True)
        seen += [answer] if "seconds" in answer else []
    for measure in ("seconds", "memory", "length"):
        most = max(seen, key=lambda answer: answer[measure])
        print(
            f"most {measure}: {most[measure]:.4g}, number {most['number']}, "
            f"{most['kind']} of {most['size']} bytes"
        )
    refused = {kind: sum(answer["refused"] for answer in seen if answer["kind"] == kind) for kind in KINDS}
    print(f"seed {seed}: {len(seen)} files, refused {refused}")
    assert not failed, "\n".join(failed[:20])
    assert not list(folder.iterdir()), "nothing was written"
    assert all(refused.values()), "of some kind none is hostile"
    assert sum(refused.values()) > len(seen) / 2


def test_hostile_files(tmp_path: Path) -> None:
    fuzz(1, range(300), tmp_path)


@pytest.mark.full
@pytest.mark.timeout(4 * 3600)
def test_many_hostile_files(tmp_path: Path) -> None:
    fuzz(int(os.environ.get("GANSTRATA_FUZZ_SEED", "2")), range(10_000), tmp_path)


def test_a_seed_makes_the_same_files_again() -> None:
    for number in range(12):
        assert hostile_file(5, number) == hostile_file(5, number)
