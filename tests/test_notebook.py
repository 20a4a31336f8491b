"""examples/method.ipynb runs from top to bottom, and shows what it speaks of."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

NOTEBOOK = Path(__file__).resolve().parents[1] / "examples/method.ipynb"

nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed")
for name in ("nbclient", "jupyter_client", "ipykernel"):
    pytest.importorskip(name, reason=f"{name} is not installed")

# A process of its own: nbclient leaves sockets to the garbage collector, which would warn in other tests.
EXECUTE = """
import os, sys
import nbformat
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

source, target, folder, own = sys.argv[1:]
# Where there are sockets in files, no port is needed, which other tests might take.
sockets = {"transport": "ipc", "ip": os.path.join(own, "kernel")} if os.name == "posix" else {}
client = NotebookClient(
    nbformat.read(source, as_version=4),
    km=AsyncKernelManager(kernel_name="python3", **sockets),
    timeout=600,
    resources={"metadata": {"path": folder}},
)
nbformat.write(client.execute(), target)
"""


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The notebook with the outputs of a new kernel, in an empty folder."""
    folder, own = tmp_path_factory.mktemp("notebook"), tmp_path_factory.mktemp("jupyter")
    target = own / "executed.ipynb"
    settings = {name: str(own) for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR")}
    done = subprocess.run(
        [sys.executable, "-c", EXECUTE, NOTEBOOK, target, folder, own],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert list(folder.iterdir()) == []
    return nbformat.read(target, as_version=4)


def test_it_shows_pictures_figures_and_tables(executed: Any) -> None:
    shown = [
        output["data"]
        for cell in executed.cells
        for output in cell.get("outputs", [])
        if output["output_type"] == "execute_result"
    ]
    assert sum("image/png" in data for data in shown) == 2
    assert sum("image/svg+xml" in data for data in shown) == 2
    assert sum("text/html" in data for data in shown) == 3


def test_the_edit_changes_the_score(executed: Any) -> None:
    (printed,) = (
        output["text"]
        for output in executed.cells[-2].outputs
        if output["output_type"] == "stream" and output["name"] == "stdout"
    )
    before, everywhere, single = (
        [float(score) for score in line.partition(": ")[2].split(", ")] for line in printed.splitlines()
    )
    assert sum(everywhere) > sum(before)
    assert sum(single) > sum(before)


def test_nothing_is_said_on_standard_error(executed: Any) -> None:
    outputs = [output for cell in executed.cells for output in cell.get("outputs", [])]
    assert [output["text"] for output in outputs if output.get("name") == "stderr"] == []


def test_it_is_small() -> None:
    assert NOTEBOOK.stat().st_size < 1_000_000
