"""Perform commands in copies of one process that has loaded everything; each may end at a chosen moment.

A line of JSON on standard input asks for a command; a line on standard output says how it ended. The moments
of a command are its changes of names and files: it can be killed just before any of them, which are the only
moments that differ for what lies on the disk.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

CHANGES = ("os.rename", "os.mkdir", "os.rmdir", "os.remove", "os.link", "os.symlink", "os.truncate")
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class Ended(NamedTuple):
    """How a command ended: its exit code or, below 0, its signal; its moments unless it was killed."""

    code: int
    moments: int
    output: str


class Server:
    """Ask the process for commands."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def __call__(self, *arguments: object, stop: int = 0, after: float | None = None) -> Ended:
        """Perform a command; kill it just before its `stop`-th change on the disk, or after some seconds."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        request = {"arguments": [str(one) for one in arguments], "stop": stop, "after": after}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return Ended(**json.loads(self._process.stdout.readline()))


@contextmanager
def served(folder: Path) -> Iterator[Server]:
    """Start the process, which counts changes below `folder`, and end it."""
    command = [sys.executable, __file__, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Server(process)
        finally:
            process.kill()


def _perform(arguments: list[str], stop: int, folder: str, report: Path) -> None:
    """Perform a command in this process, and end it."""
    from ganstrata.cli.main import main

    count = 0

    def hook(event: str, details: tuple[Any, ...]) -> None:
        nonlocal count
        if event == "open":
            if not isinstance(details[0], str | bytes | os.PathLike) or not int(details[2] or 0) & WRITING:
                return
        elif event not in CHANGES:
            return
        path = os.fsdecode(details[0])
        if path.startswith(folder) or not os.path.isabs(path):  # names within a folder that is removed
            count += 1
            if count == stop:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.argv = ["ganstrata", *arguments]
    sys.addaudithook(hook)
    code = 0
    try:
        main()
    except SystemExit as end:
        code = int(end.code or 0)
    finally:
        with suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
    report.write_text(json.dumps({"moments": count, "modules": list(sys.modules)}), encoding="utf-8")
    os._exit(code)


def _serve(folder: str) -> None:
    import torch
    from ganstrata.core.inversion.encoders import train
    from ganstrata.core.leaderboard import of_projections
    from ganstrata.core.semantics.learning import stage

    torch.set_num_threads(1)
    train.KEEP = stage.KEEP = -1.0  # every state of a training is kept
    of_projections.FITS = 10
    os.fsync = lambda descriptor: None
    log, report = (Path(folder) / name for name in ("output.log", "report.json"))
    for line in sys.stdin:
        asked = json.loads(line)
        report.write_text(json.dumps({"moments": 0, "modules": []}), encoding="utf-8")
        with log.open("wb") as output:
            child = os.fork()
            if child == 0:
                os.dup2(output.fileno(), 1)
                os.dup2(output.fileno(), 2)
                os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
                _perform(asked["arguments"], asked["stop"], folder, report)
        if asked["after"] is not None:
            time.sleep(asked["after"])
            os.kill(child, signal.SIGKILL)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        told = json.loads(report.read_text(encoding="utf-8"))
        for name in told["modules"]:  # the next command need not import them
            with suppress(Exception):
                import_module(name)
        text = log.read_text(encoding="utf-8", errors="replace")
        print(json.dumps({"code": code, "moments": told["moments"], "output": text}), flush=True)


if __name__ == "__main__":
    _serve(sys.argv[1])
