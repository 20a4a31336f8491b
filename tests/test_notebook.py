"""examples/method.ipynb runs from top to bottom, and shows what it speaks of."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

NOTEBOOK = Path(__file__).resolve().parents[1] / "examples/method.ipynb"

nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed")
nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed")
manager = pytest.importorskip("jupyter_client.manager", reason="jupyter_client is not installed")
pytest.importorskip("ipykernel", reason="ipykernel is not installed")


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The notebook with the outputs of a new kernel, in an empty folder."""
    folder, own = tmp_path_factory.mktemp("notebook"), tmp_path_factory.mktemp("jupyter")
    with pytest.MonkeyPatch.context() as environment:
        for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR"):
            environment.setenv(name, str(own))
        # Where there are sockets in files, no port is needed, which other tests might take.
        sockets = {"transport": "ipc", "ip": str(own / "kernel")} if os.name == "posix" else {}
        client = nbclient.NotebookClient(
            nbformat.read(NOTEBOOK, as_version=4),
            km=manager.AsyncKernelManager(kernel_name="python3", **sockets),
            timeout=600,
            resources={"metadata": {"path": str(folder)}},
        )
        notebook = client.execute()
    assert list(folder.iterdir()) == []
    return notebook


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
