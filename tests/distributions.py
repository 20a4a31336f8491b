"""Install distributions of third parties that lie in the repository."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path


def install(sources: Sequence[Path], folder: Path) -> Path:
    """The folder into which pip put the distributions; nothing is fetched or left in the checkout."""
    copies = [
        shutil.copytree(source, folder / "source" / source.name, ignore=shutil.ignore_patterns("__pycache__"))
        for source in sources
    ]
    target = folder / "site"
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
        "--target",
        str(target),
    ]
    environment = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    done = subprocess.run(
        [*command, *map(str, copies)], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr
    return target
