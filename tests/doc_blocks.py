"""The fenced blocks of the documentation, and a folder in which those of a page run one after the other."""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/*.md"),
        *ROOT.glob("benchmarks/*.md"),
        *ROOT.glob("examples/**/*.md"),
        *ROOT.glob("recipes/**/*.md"),
    ]
)
FENCE = re.compile(
    r"(?:^<!-- not run: ([^>]+) -->\n)?^```(\w*)[ ]?(.*?)\n(.*?)^```$", re.MULTILINE | re.DOTALL
)
SHELL = """#!/bin/sh
exec "{python}" -m {module} "$@"
"""
PIP = '''#!{python}
"""Installs the folder in which it is called, as `pip install -e .` does, without a network."""
import os, sys
sys.path.insert(0, "{tests}")
from doc_blocks import install
from pathlib import Path
assert sys.argv[1:] in (["install", "-e", "."], ["install", "."]), sys.argv
install(Path.cwd(), Path(os.environ["INSTALLED"]))
'''


class Block(NamedTuple):
    """A fenced block of a page.

    `reason` is why it is not run, from `<!-- not run: REASON -->` in the line before; `word` is what stands
    behind the language: `runnable`, or the name of a file.
    """

    page: Path
    reason: str
    language: str
    word: str
    text: str

    @property
    def path(self) -> str:
        """Path of the page from the root of the repository."""
        return self.page.relative_to(ROOT).as_posix()

    @property
    def name(self) -> str:
        return f"{self.path}: {self.text.splitlines()[0]}"


BLOCKS = [Block(page, *match) for page in PAGES for match in FENCE.findall(page.read_text(encoding="utf-8"))]


def write_info(project: Path, folder: Path) -> None:
    """Write into a folder what pip writes of a project, so that its plugins count as installed there."""
    about = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    info = folder / f"{about['name'].replace('-', '_')}-{about['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {about['name']}\nVersion: {about['version']}\n", encoding="utf-8"
    )
    points = "".join(f"{key} = {value}\n" for key, value in about["entry-points"]["ganstrata"].items())
    (info / "entry_points.txt").write_text(f"[ganstrata]\n{points}", encoding="utf-8")


def install(project: Path, folder: Path) -> None:
    """Install a project into a folder by links to its packages, which follow every change."""
    write_info(project, folder)
    for package in project.glob("*/__init__.py"):
        (folder / package.parent.name).symlink_to(package.parent)


class Session:
    """Runs the blocks of a page in order: files are written, shell and Python remember what came before."""

    def __init__(self, folder: Path) -> None:
        self.home, self.place = folder, folder / "place"
        self.names: dict[str, Any] = {"__name__": "__main__"}
        programs, installed = folder / "bin", folder / "installed"
        for path in (self.place, programs, installed):
            path.mkdir(exist_ok=True)
        for name, module in (
            ("ganstrata", "ganstrata.cli.main"),
            ("pytest", "pytest -q -p no:cacheprovider"),
        ):
            self._program(programs / name, SHELL.format(python=sys.executable, module=module))
        self._program(programs / "pip", PIP.format(python=sys.executable, tests=ROOT / "tests"))
        self.environment = {
            **os.environ,
            "PATH": os.pathsep.join([str(programs), os.environ.get("PATH", "")]),
            "PYTHONPATH": os.pathsep.join([str(installed), os.environ.get("PYTHONPATH", "")]).rstrip(
                os.pathsep
            ),
            "INSTALLED": str(installed),
        }

    def run(self, block: Block) -> None:
        """Run a block, or write the file that it shows."""
        if "." in block.word:
            (self.place / block.word).parent.mkdir(parents=True, exist_ok=True)
            (self.place / block.word).write_text(block.text, encoding="utf-8")
        elif block.language == "sh":
            self._shell(block)
        elif block.language == "python":
            with contextlib.chdir(self.place), contextlib.redirect_stdout(io.StringIO()):
                exec(compile(block.text, str(block.page), "exec"), self.names)

    def _shell(self, block: Block) -> None:
        """Run commands until one fails, and go where they have gone."""
        script = f"{block.text}\npwd > '{self.home}/pwd'\n"
        done = subprocess.run(
            ["bash", "-e", "-c", script],
            cwd=self.place,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{block.text}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        self.place = Path((self.home / "pwd").read_text(encoding="utf-8").strip())

    @staticmethod
    def _program(path: Path, text: str) -> None:
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)
