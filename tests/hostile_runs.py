"""Read thousands of files in a process of its own, and tell which are not read or refused as they should be.

The process is ended when it takes too long. A file that fails is kept, and can be made again from the seed
and its number.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from ganstrata.core.messages import MESSAGE

TESTS = Path(__file__).resolve().parent
SECONDS = 20.0  # of a processor
PATIENCE = 120.0  # seconds, on a machine that has other things to do; the file is made in this time too
MEMORY = 1500.0  # MB
Make = Callable[[int, int], tuple[str, str, bytes]]
"""Gives the kind of a file, how its name ends and what it holds, of a seed and a number."""
START = 600.0  # seconds until torch is imported, on a busy machine
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
        # A late first line would be taken for the result of the first file.
        assert self.next_result(START) is not None, f"the reader ended, or did not start in {START:.0f} s"

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put("")

    def next_result(self, seconds: float) -> dict[str, Any] | None:
        """Return the next result; None if none comes in time."""
        try:
            line = self._lines.get(timeout=seconds)
        except queue.Empty:
            return None
        result: dict[str, Any] | None = json.loads(line) if line else None
        return result

    def read(self, path: Path) -> dict[str, Any] | None:
        """Return the cost of reading a file; None if the process crashed or took too long."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{path}\n")
        self._process.stdin.flush()
        return self.next_result(PATIENCE)

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()


def faults_of(result: dict[str, Any] | None) -> list[str]:
    """Return what went wrong while a file was read."""
    if result is None:
        return ["it was not read in time, or ended the process"]
    messages = list(result["crashes"])
    messages += [f"it took {result['seconds']:.1f} s"] if result["seconds"] > SECONDS else []
    messages += [f"it took {result['memory']:.0f} MB"] if result["memory"] > MEMORY else []
    messages += [f"its message has {result['length']} characters"] if result["length"] > MESSAGE else []
    return messages + (["its message has signs that cannot be printed"] if result["hidden"] else [])


def results(
    make: Make, seed: int, numbers: Iterable[int], folder: Path, failures: Path
) -> Iterator[tuple[dict[str, Any], list[str]]]:
    """Yield the cost of each file and what went wrong; keep the files that failed."""
    reader = None
    try:
        for done, number in enumerate(numbers):
            kind, suffix, content = make(seed, number)
            path = folder / ("key.json" if suffix == ".json" else f"hostile{suffix}")
            path.write_bytes(content)
            if reader is not None and done % TOGETHER == 0:
                reader.end()
                reader = None
            reader = Reader(folder) if reader is None else reader
            result = reader.read(path)
            messages = faults_of(result)
            if messages:
                reader.end()
                reader = None
                (failures / f"{seed}_{number}{suffix}").write_bytes(content)
            path.unlink()
            yield {"number": number, "kind": kind, "size": len(content), **(result or {})}, messages
    finally:
        if reader is not None:
            reader.end()


def fuzz(make: Make, seed: int, numbers: Iterable[int], tmp_path: Path) -> None:
    """Read files, print the highest costs, and fail with the seed and number of each file that misbehaved."""
    folder, failing = tmp_path / "read", tmp_path / "kept"
    folder.mkdir()
    failing.mkdir()
    failed: list[str] = []
    seen: list[dict[str, Any]] = []
    for result, messages in results(make, seed, numbers, folder, failing):
        if messages:
            failed.append(
                f"{make.__name__}({seed}, {result['number']}), {result['kind']}, "
                f"kept in {failing}: {'; '.join(messages)}"
            )
            print(failed[-1], flush=True)
        seen += [result] if "seconds" in result else []
    for measure in ("seconds", "memory", "length"):
        most = max(seen, key=lambda result: result[measure])
        print(
            f"most {measure}: {most[measure]:.4g}, number {most['number']}, "
            f"{most['kind']} of {most['size']} bytes"
        )
    kinds = sorted({result["kind"] for result in seen})
    refused = {kind: sum(result["refused"] for result in seen if result["kind"] == kind) for kind in kinds}
    print(f"seed {seed}: {len(seen)} files, refused {refused}")
    assert not failed, "\n".join(failed[:20])
    assert not list(folder.iterdir()), "nothing was written"
    assert all(refused.values()), "of some kind none is hostile"
    assert sum(refused.values()) > len(seen) / 2
