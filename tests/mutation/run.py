"""Check that the tests detect small faults: make them one at a time in a copy, and run the tests.

    make mutants                                                    a tenth of all faults, and the page
    make mutants MUTANTS='core/rescoring/effects.py --share 1 --processes 2'  all faults of one file

Which faults are taken depends on the seed alone. Results are kept after every fault, and what is known of the
same fault in the same source is not tried again, so that a run may be ended and continued.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import queue
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from operators import Mutant, mutants_of, mutated
from page import reason_for, write_page
from trial import ROOT, TIMED_OUT

HERE = Path(__file__).parent
RESULTS, ARGUED, PAGE = HERE / "results.json", HERE / "argued.toml", ROOT / "docs/mutants.md"
SURVIVED = "survived"


@cache
def source_of(file: str) -> str:
    """A file as it was when it was first read: somebody may edit it meanwhile."""
    return (ROOT / file).read_text(encoding="utf-8")


def chosen(files: Sequence[str], share: float, seed: int) -> list[Mutant]:
    """A share of the faults of every file, chosen by what they are.

    A larger share holds a smaller one, and faults of code that stays the same stay chosen.
    """
    faults = [mutant for file in files for mutant in mutants_of(file, source_of(file))]
    return [
        mutant
        for mutant in faults
        if int(hashlib.sha256(f"{seed} {mutant.key}".encode()).hexdigest()[:8], 16) < share * 2**32
    ]


def rounds_of(file: str) -> list[list[str]]:
    """What pytest is given, round after round."""
    targets = tomllib.loads((HERE / "targets.toml").read_text(encoding="utf-8"))
    return [[f"tests/{word}" if ".py" in word else word for word in part] for part in targets[file]["rounds"]]


class Worker:
    """A process that tries faults in a copy of its own."""

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, str(HERE / "trial.py"), str(folder)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def run(self, file: str, source: str, tests: Sequence[Sequence[str]], limit: float) -> dict[str, Any]:
        """The exit status of the tests, and how long they took."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(
            json.dumps({"file": file, "source": source, "tests": tests, "limit": limit}) + "\n"
        )
        self.process.stdin.flush()
        outcome: dict[str, Any] = json.loads(self.process.stdout.readline())
        return outcome

    def close(self) -> None:
        """End the process."""
        self.process.terminate()
        self.process.wait()


class Board:
    """What is known, on disk after every fault."""

    def __init__(self, path: Path) -> None:
        self.path, self.lock = path, threading.Lock()
        self.rows: dict[str, dict[str, Any]] = (
            json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        )

    def is_known(self, mutant: Mutant, again: bool) -> bool:
        """Whether the fault was tried in the function as it is."""
        row = self.rows.get(mutant.key)
        return (
            row is not None and row["source"] == mutant.source and not (again and row["result"] == SURVIVED)
        )

    def keep(self, mutant: Mutant, result: str, seconds: float) -> None:
        """Write a result down."""
        with self.lock:
            self.rows[mutant.key] = asdict(mutant) | {"result": result, "seconds": seconds}
            part = self.path.with_suffix(".part")
            part.write_text(json.dumps(self.rows, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
            part.replace(self.path)

    def forget_others(self, files: Sequence[str]) -> None:
        """Forget the faults of files that are no targets any more."""
        self.rows = {key: row for key, row in self.rows.items() if row["file"] in files}

    def renew(self, file: str) -> None:
        """Forget faults of a file that can no longer be made, or whose function has changed.

        Of the others, say where they are now.
        """
        now = {mutant.key: asdict(mutant) for mutant in mutants_of(file, source_of(file))}
        current = {
            key: row
            for key, row in self.rows.items()
            if row["file"] != file or (key in now and now[key]["source"] == row["source"])
        }
        self.rows = {key: row | now.get(key, {}) for key, row in current.items()}


class Limits:
    """How long the tests of each round may take, from how long they take without a fault.

    Each round is timed when it is first needed: the slow ones are for faults that the fast ones do not see.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.lock = threading.Lock()

    def of(self, worker: Worker, file: str, tests: Sequence[str]) -> float:
        """Return the limit of a round.

        Raises:
            TestsFailError: its tests fail without any fault.
        """
        name = " ".join(tests)
        with self.lock:
            if name not in self.seconds:
                outcome = worker.run(file, source_of(file), [tests], 1200.0)
                if outcome["status"] != 0:
                    log = Path(outcome["log"])
                    said = log.read_text(encoding="utf-8", errors="replace") if log.is_file() else ""
                    raise TestsFailError(
                        f"{said[-3000:]}\n{name}: the tests fail without any fault (pytest ends with "
                        f"{outcome['status']})"
                    )
                self.seconds[name] = 30.0 + 4.0 * outcome["seconds"]
                print(f"  {outcome['seconds']:6.1f} s  {name}", flush=True)
            return self.seconds[name]


class TestsFailError(Exception):
    """Tests fail without any fault, so that they cannot tell one."""


@dataclass(frozen=True)
class Trial:
    """A fault that no round of tests before `round` has seen, and the seconds that they took."""

    mutant: Mutant
    round: int = 0
    seconds: float = 0.0


def tried(worker: Worker, trial: Trial, limits: Limits) -> tuple[str, float] | Trial:
    """Run one round of tests: how the fault fared and the seconds of all rounds, or what is left to try."""
    file = trial.mutant.file
    source = mutated(source_of(file), trial.mutant.number)
    try:
        compile(source, file, "exec")
    except SyntaxError:
        return "killed", 0.0
    rounds = rounds_of(file)
    tests = rounds[trial.round]
    limit = limits.of(worker, file, tests)
    outcome = worker.run(file, source, [tests], limit)
    seconds = round(trial.seconds + outcome["seconds"], 1)
    if outcome["status"] != 0:
        return ("timed out" if outcome["status"] == TIMED_OUT else "killed"), seconds
    following = trial.round + 1
    return Trial(trial.mutant, following, seconds) if following < len(rounds) else (SURVIVED, seconds)


def main() -> None:
    """See the module's docstring."""
    known = list(tomllib.loads((HERE / "targets.toml").read_text(encoding="utf-8")))
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="*", help=f"of {', '.join(known)}; default: all")
    parser.add_argument("--share", type=float, default=0.1, help="of each file's faults")
    parser.add_argument("--seed", type=int, default=0, help="which faults are taken")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument(
        "--again",
        action="store_true",
        help="try those again that survived and are not argued, after tests were added",
    )
    parser.add_argument(
        "--seconds", type=float, default=float("inf"), help="begin no further fault after so long"
    )
    parser.add_argument("--list", action="store_true", help="print the faults, and try none")
    options = parser.parse_args()
    unknown = [file for file in options.files if file not in known]
    if unknown:
        parser.error(f"{unknown[0]} is not one of {', '.join(known)}")
    files, board, began = options.files or known, Board(RESULTS), time.monotonic()
    board.forget_others(known)
    for file in known:
        board.renew(file)
    argued = tomllib.loads(ARGUED.read_text(encoding="utf-8")) if ARGUED.is_file() else {}
    todo = [
        mutant
        for mutant in chosen(files, options.share, options.seed)
        if not board.is_known(mutant, options.again and not reason_for(asdict(mutant), argued))
    ]
    print(f"{len(todo)} faults to try", flush=True)
    if options.list:
        print("\n".join(f"{mutant.line:4d} {mutant.operator:18s} {mutant.key}" for mutant in todo))
        return
    if todo:
        _try_all(todo, board, options.processes, began + options.seconds)
    write_page(
        PAGE,
        list(board.rows.values()),
        argued,
        {file: len(mutants_of(file, source_of(file))) for file in known},
    )


def _try_all(todo: Sequence[Mutant], board: Board, processes: int, end: float) -> None:
    waiting: queue.SimpleQueue[Trial] = queue.SimpleQueue()
    for each in todo:
        waiting.put(Trial(each))
    limits, failed = Limits(), threading.Event()

    def try_queued(worker: Worker) -> None:
        while time.monotonic() < end and not failed.is_set():
            try:
                trial = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                outcome = tried(worker, trial, limits)
            except TestsFailError:
                failed.set()
                raise
            if isinstance(outcome, Trial):  # the slower rounds come after the fast ones of all faults
                waiting.put(outcome)
                continue
            (result, seconds), mutant = outcome, trial.mutant
            board.keep(mutant, result, seconds)
            print(
                f"{result:10s} {seconds:6.1f} s  {mutant.file}:{mutant.line}  {mutant.before}  ->  "
                f"{mutant.after}",
                flush=True,
            )

    with tempfile.TemporaryDirectory() as place, ThreadPoolExecutor(processes) as pool:
        workers = [Worker(Path(place) / str(i)) for i in range(processes)]
        try:
            for ended in [pool.submit(try_queued, worker) for worker in workers]:
                ended.result()
        except TestsFailError as error:
            raise SystemExit(str(error)) from None
        finally:
            failed.set()
            for worker in workers:
                worker.close()


if __name__ == "__main__":
    main()
