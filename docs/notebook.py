"""Execute examples/method.ipynb in a new kernel and an empty folder, and store its outputs in it.

    python docs/notebook.py                  after a change of the notebook, or of what it shows
    python docs/notebook.py SOURCE TARGET    write another notebook with its outputs to TARGET

tests/test_notebook.py compares the stored outputs with those of a new kernel.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

NOTEBOOK = Path(__file__).resolve().parents[1] / "examples/method.ipynb"
SETTINGS = ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")


def execute(source: Path, target: Path) -> None:
    """Write a notebook with the outputs of its cells, and nothing that differs from day to day."""
    import nbformat
    from jupyter_client.manager import AsyncKernelManager
    from nbclient import NotebookClient

    with tempfile.TemporaryDirectory() as own, tempfile.TemporaryDirectory() as folder:
        os.environ.update(dict.fromkeys(SETTINGS, own))  # what the user configured is left out
        # Where there are sockets in files, no port is needed, which other programs might take.
        sockets = {"transport": "ipc", "ip": os.path.join(own, "kernel")} if os.name == "posix" else {}
        notebook = NotebookClient(
            nbformat.read(source, as_version=4),
            km=AsyncKernelManager(kernel_name="python3", **sockets),
            timeout=600,
            record_timing=False,
            resources={"metadata": {"path": folder}},
        ).execute()
    notebook.metadata.pop("language_info", None)  # names the version of Python
    nbformat.write(notebook, target)


if __name__ == "__main__":
    execute(*map(Path, sys.argv[1:] or (NOTEBOOK, NOTEBOOK)))
