"""Run tests on one fault after another, in a copy of the repository.

python tests/mutation/trial.py FOLDER, with jobs as lines of JSON on its standard input.

What takes long to import is imported once; each run of the tests is a fork of this process where there are
forks, and a process of its own elsewhere.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
PARTS = (
    "core",
    "cli",
    "testing",
    "plugins",
    "weights",
    "tests",
    "examples",
    "recipes",
    "benchmarks",
    "__init__.py",
    "py.typed",
    "pyproject.toml",
)
HEAVY = (
    "hypothesis.strategies",
    "numpy",
    "pydantic",
    "pytest",
    "rich.progress",
    "safetensors.torch",
    "scipy.stats",
    "sklearn.linear_model",
)
HEAVY += ("sklearn.svm", "torch", "torch.utils.flop_counter", "yaml", "zarr")
OPTIONS = (
    "-x",
    "-q",
    "--no-header",
    "-p",
    "no:randomly",
    "-p",
    "no:cacheprovider",
    "-p",
    "pytest_timeout",
    "-p",
    "_hypothesis_pytestplugin",
    "--hypothesis-seed=0",
    "-W",
    "ignore::pytest.PytestAssertRewriteWarning",
)
TIMED_OUT = -1
LOG = "last.log"  # what pytest said, in the copy


def copied(folder: Path) -> Path:
    """A copy of what tests need, importable as `ganstrata` from the folder.

    Links of the second folder are not followed.
    """
    home = folder / "ganstrata"
    home.mkdir(parents=True, exist_ok=True)
    for name in PARTS:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(
                source,
                home / name,
                dirs_exist_ok=True,
                ignore=shutil.ignore_patterns("__pycache__", ".hypothesis"),
            )
        elif source.exists():
            shutil.copy2(source, home / name)
    return home


def outcome(home: Path, tests: Sequence[str], limit: float) -> int:
    """The exit status of pytest, or TIMED_OUT."""
    arguments = [*OPTIONS, *tests]
    if not hasattr(os, "fork"):
        try:
            return subprocess.run(
                [sys.executable, "-m", "pytest", *arguments],
                cwd=home,
                timeout=limit,
                capture_output=True,
                check=False,
            ).returncode
        except subprocess.TimeoutExpired:
            return TIMED_OUT
    child = os.fork()
    if child == 0:
        _test(home, arguments)
    end = time.monotonic() + limit
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.05)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return TIMED_OUT


def _test(home: Path, arguments: list[str]) -> None:
    """In the fork: run pytest in a session of its own, and end with its exit status."""
    status = 3
    try:
        os.setsid()
        log = os.open(home / LOG, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        for stream in (0, 1, 2):
            os.dup2(log, stream)
        os.chdir(home)
        status = int(sys.modules["pytest"].main(arguments))
    except BaseException:  # what it says is in the log
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _hurry() -> None:
    """Leave out what costs time in every fork and tells nothing of a fault.

    That is plugins of pytest that no test needs, the search for a smaller example that fails, and the
    collection of what was imported once.
    """
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    hypothesis = sys.modules["hypothesis"]
    phases = (hypothesis.Phase.explicit, hypothesis.Phase.generate)
    hypothesis.settings.register_profile("faults", phases=phases, database=None)
    hypothesis.settings.load_profile("faults")
    gc.collect()
    gc.freeze()


def main() -> None:
    """Jobs from standard input, results on standard output."""
    folder = Path(sys.argv[1])
    home = copied(folder)
    sys.path[:] = [
        str(folder),
        *(
            entry
            for entry in sys.path
            if Path(entry or ".").resolve() not in (ROOT.parent, ROOT, Path(__file__).parent)
        ),
    ]
    os.environ["PYTHONPATH"] = str(folder)
    for name in HEAVY:
        importlib.import_module(name)
    _hurry()
    stamp = int(time.time())
    for number, line in enumerate(sys.stdin):
        job = json.loads(line)
        began = time.monotonic()
        file = home / job["file"]
        original = file.read_bytes()
        try:
            file.write_text(job["source"], encoding="utf-8")
            # Byte code is told from its source by size and second: no two faults may have the same.
            os.utime(file, (stamp + 2 * number, stamp + 2 * number))
            status = 0
            for tests in job["tests"]:
                status = status or outcome(home, tests, job["limit"])
        finally:
            file.write_bytes(original)
            os.utime(file, (stamp + 2 * number + 1, stamp + 2 * number + 1))
        print(
            json.dumps(
                {"status": status, "seconds": round(time.monotonic() - began, 1), "log": str(home / LOG)}
            ),
            flush=True,
        )


if __name__ == "__main__":
    main()
