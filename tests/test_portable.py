"""Calls that exist on one system only are absent from the package, or guarded."""

from __future__ import annotations

import ast
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import ganstrata
import pytest
import torch
from ganstrata.core.errors import UserError

ROOT = Path(__file__).resolve().parents[1]
SHIPPED = ("app", "core", "plugins", "cli", "testing")
FILES = sorted(path for top in SHIPPED for path in (ROOT / top).rglob("*.py"))
# What Python's documentation calls available on Unix, of what one might reach for.
POSIX = {
    "os": {
        *(
            "fork",
            "forkpty",
            "killpg",
            "getpgid",
            "setpgid",
            "setsid",
            "getuid",
            "geteuid",
            "getgid",
            "chown",
            "fchown",
            "lchown",
            "fchmod",
            "mkfifo",
        ),
        *(
            "sched_getaffinity",
            "sched_setaffinity",
            "getloadavg",
            "uname",
            "nice",
            "statvfs",
            "sysconf",
            "wait",
            "waitpid",
            "O_DIRECTORY",
            "O_NOFOLLOW",
        ),
    },
    "signal": {
        "pthread_sigmask",
        "pthread_kill",
        "sigwait",
        "alarm",
        "setitimer",
        "SIGKILL",
        "SIGHUP",
        "SIGPIPE",
        "SIGUSR1",
        "SIGALRM",
        "SIG_BLOCK",
    },
    "time": {"clock_gettime", "pthread_getcpuclockid", "tzset"},
}
COMPARED = {
    "core/storage/disk.py": {"/dev/fd/", "/dev/stdin", "/proc/self/fd/"},
    "core/storage/partial.py": {"import fcntl", "/proc/sys/kernel/random/boot_id"},
    "testing/engine_checks.py": {"/proc/self/task"},
}
"""Paths and modules of one system that are compared with what a user gives, or done without elsewhere."""
MODULES = {
    "fcntl",
    "grp",
    "pwd",
    "resource",
    "termios",
    "tty",
    "pty",
    "curses",
    "readline",
    "msvcrt",
    "winreg",
}


def functions(tree: ast.Module) -> Iterator[ast.AST]:
    """Functions, and what stands outside of them, each once."""
    inner = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    yield from inner
    yield ast.Module([node for node in tree.body if not isinstance(node, ast.FunctionDef | ast.ClassDef)], [])


def faults(text: str) -> Iterator[str]:
    tree = ast.parse(text)
    for function in functions(tree):
        guarded = {
            (call.args[0].id, call.args[1].value)
            for call in ast.walk(function)
            if isinstance(call, ast.Call)
            and isinstance(call.func, ast.Name)
            and call.func.id in ("hasattr", "getattr")
            and len(call.args) > 1
            if isinstance(call.args[0], ast.Name) and isinstance(call.args[1], ast.Constant)
        }
        for node in ast.walk(function):
            if (
                isinstance(node, ast.Attribute)
                and isinstance(node.value, ast.Name)
                and node.attr in POSIX.get(node.value.id, ())
            ):
                if not {name for place, name in guarded if place == node.value.id}:
                    yield f"{node.value.id}.{node.attr}"
            elif (
                isinstance(node, ast.Constant)
                and isinstance(node.value, str)
                and node.value.startswith(("/proc/", "/dev/", "/tmp/", "/etc/"))
            ):
                yield node.value
    for node in ast.walk(tree):
        names = (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module]
            if isinstance(node, ast.ImportFrom)
            else []
        )
        yield from (f"import {name}" for name in names if name in MODULES)
        if isinstance(node, ast.Call) and not any(keyword.arg == "encoding" for keyword in node.keywords):
            name = (
                node.func.attr
                if isinstance(node.func, ast.Attribute)
                else node.func.id
                if isinstance(node.func, ast.Name)
                else ""
            )
            mode = next(
                (
                    arg.value
                    for arg in node.args
                    if isinstance(arg, ast.Constant) and isinstance(arg.value, str)
                ),
                "",
            )
            place = (
                node.func.value.id
                if isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name)
                else ""
            )
            if name == "read_text" or (
                name == "open" and place in ("", "path", "file", "io") and "b" not in mode
            ):
                yield f"line {node.lineno}: {name} without encoding"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_file_needs_one_system(path: Path) -> None:
    compared = COMPARED.get(path.relative_to(ROOT).as_posix(), set())
    assert set(faults(path.read_text(encoding="utf-8"))) <= compared


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("os.fork()", "os.fork"),
        ("def f():\n    os.sched_getaffinity(0)", "os.sched_getaffinity"),
        ("import resource", "import resource"),
        ("from fcntl import flock", "import fcntl"),
        ("open(path)", "line 1: open without encoding"),
        ("path.read_text()", "line 1: read_text without encoding"),
        ("x = '/proc/cpuinfo'", "/proc/cpuinfo"),
    ],
)
def test_code_that_needs_one_system_is_found(line: str, fault: str) -> None:
    assert fault in faults(line)


def test_code_guarded_by_a_check_may_be_used() -> None:
    assert not list(faults("def f():\n    if hasattr(os, 'nice'):\n        os.nice(1)\npath.open('rb')"))


def test_no_two_paths_differ_by_capitals_alone() -> None:
    names = [
        path.relative_to(ROOT).as_posix()
        for path in ROOT.rglob("*")
        if not any(part.startswith(".") for part in path.relative_to(ROOT).parts)
    ]
    assert len({name.casefold() for name in names}) == len(names)
    forbidden = {
        "con",
        "prn",
        "aux",
        "nul",
        *(f"{device}{n}" for device in ("com", "lpt") for n in range(1, 10)),
    }
    wrong = [
        name
        for name in names
        if set('<>:"\\|?*') & set(name)
        or name.endswith((".", " "))
        or Path(name).stem.casefold() in forbidden
    ]
    assert not wrong


def test_a_file_may_lie_under_spaces_and_colons(tmp_path: Path) -> None:
    """The last colon divides file and name."""
    folder = tmp_path / ("own models" if os.name == "nt" else "C: own models")
    folder.mkdir()
    (folder / "my net.py").write_text(
        "def light(images):\n    return images.mean(dim=(1, 2, 3))\n", encoding="utf-8"
    )
    scorer = ganstrata.load_scorer(
        "callable", target=f"{folder / 'my net.py'}:light", concepts=[{"name": "light"}], device="cpu"
    )
    assert scorer.score(ganstrata.Rendering(torch.full((2, 3, 4, 4), 0.5))).tolist() == [[0.5], [0.5]]


@pytest.mark.parametrize("load", [
    lambda file: ganstrata.load_scorer(
        "callable", target=f"{file}:f", concepts=[{"name": "light"}], device="cpu"
    ),
    lambda file: ganstrata.load_learner("sklearn", estimator=f"{file}:F", device="cpu"),
    lambda file: ganstrata.load_generator("module", target=f"{file}:F", latent={"size": 2}, device="cpu"),
], ids=["callable", "sklearn", "module"])  # fmt: skip
def test_a_file_may_lie_on_a_drive(load: Callable[[str], object]) -> None:
    """The file is looked for, and not taken for a wrong name."""
    with pytest.raises(UserError, match=r"no file C:.own models.net\.py"):
        load("C:\\own models\\net.py")
