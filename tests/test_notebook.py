"""examples/method.ipynb runs from top to bottom and shows what it stores; classes of a notebook make runs."""

from __future__ import annotations

import base64
import io
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOK = ROOT / "examples/method.ipynb"
NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?")

nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed")
for name in ("nbclient", "jupyter_client", "ipykernel"):
    pytest.importorskip(name, reason=f"{name} is not installed")

OWN_CLASSES = (
    """
import ganstrata
import torch


class Bars(ganstrata.Generator):
    card = ganstrata.ModelCard("bars", 16, 2, 4, 4, licence="MIT", source="a cell")
    strata = (ganstrata.Stratum("shade", 0, 16), ganstrata.Stratum("colour", 1, 16))

    def stratum(self, s, state, code, style=None):
        if s == 0:
            return ganstrata.State(code[:, :1, None, None].expand(-1, 3, 16, 16))
        return ganstrata.State(state.x + code[:, 1:, None, None])

    def finish(self, state):
        return torch.sigmoid(state.x)


class Redness(ganstrata.Scorer):
    concepts = (ganstrata.Concept("red", "colour"),)

    def score(self, rendering):
        return rendering.images[:, :1].mean(dim=(2, 3))


ganstrata.register("generator", "bars", Bars)
ganstrata.register("scorer", "redness", Redness)
""",
    """
def make(folder, workers):
    config = {
        "generator": {"use": "bars"},
        "scorers": [{"use": "redness"}],
        "boundary": {"use": "mean_difference", "with": {"positives": 0.2, "negatives": 0.2}},
        "synthesis": {"samples": 256},
        "rescoring": {"samples": 32, "null_directions": 4, "bootstrap": 100},
        "editing": {"samples": 2, "steps": 3},
        "report": {"samples": 4},
        "engine": {"workers": workers},
    }
    try:
        run = ganstrata.run(config, folder)
        print(workers, run.effects.factor_names)
    except ganstrata.UserError as error:
        print(workers, error)


for workers in (1, "auto", 2):
    make(f"run-{workers}", workers)
""",
)


def _executed(source: Path, folder: Path) -> Any:
    """A notebook with the outputs of a new kernel.

    A process of its own makes them: nbclient leaves sockets to the garbage collector, which would warn in
    other tests.
    """
    target = folder / "executed.ipynb"
    done = subprocess.run(
        [sys.executable, ROOT / "docs/notebook.py", source, target],
        env={**os.environ, "PYTHONSAFEPATH": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return nbformat.read(target, as_version=4)


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The notebook with the outputs of today's code."""
    return _executed(NOTEBOOK, tmp_path_factory.mktemp("notebook"))


@pytest.fixture(scope="module")
def stored() -> Any:
    """The notebook as it is in the repository."""
    return nbformat.read(NOTEBOOK, as_version=4)


def _outputs(notebook: Any) -> list[tuple[str, Any]]:
    """All that the notebook shows: kind and content, without the addresses of objects."""
    shown = []
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output["output_type"] == "stream":
                shown.append((output["name"], output["text"]))
            else:
                shown += sorted(output["data"].items())
    return shown


def _pixels(png: str) -> NDArray[np.float64]:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(png))), dtype=np.float64) / 255.0


@pytest.mark.full
def test_it_stores_the_kinds_of_outputs_that_it_shows(executed: Any, stored: Any) -> None:
    kinds = [kind for kind, _ in _outputs(stored)]
    assert kinds == [kind for kind, _ in _outputs(executed)], "run docs/notebook.py"
    assert (kinds.count("image/png"), kinds.count("image/svg+xml"), kinds.count("text/html")) == (2, 2, 3)
    assert "stderr" not in kinds


@pytest.mark.full
def test_the_stored_texts_and_numbers_are_those_of_today(executed: Any, stored: Any) -> None:
    """Other processors round otherwise, so that a number may differ by a tenth, and ranks may change."""
    for (kind, before), (_, now) in zip(_outputs(stored), _outputs(executed), strict=True):
        if kind not in ("stdout", "text/plain", "text/html"):
            continue
        words = sorted(re.findall(r"[A-Za-z_/]{3,}", NUMBER.sub("", before)))
        assert words == sorted(re.findall(r"[A-Za-z_/]{3,}", NUMBER.sub("", now))), "run docs/notebook.py"
        if kind == "stdout":
            numbers, others = ([float(x) for x in NUMBER.findall(text)] for text in (before, now))
            assert np.allclose(numbers, others, rtol=0.1, atol=0.1), "run docs/notebook.py"


@pytest.mark.full
def test_the_stored_pictures_are_those_of_today(executed: Any, stored: Any) -> None:
    pictures = [
        [_pixels(content) for kind, content in _outputs(notebook) if kind == "image/png"]
        for notebook in (stored, executed)
    ]
    for before, now in zip(*pictures, strict=True):
        assert before.shape == now.shape
        assert np.abs(before - now).mean() < 0.02, "run docs/notebook.py"


@pytest.mark.full
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


def test_it_is_small() -> None:
    assert NOTEBOOK.stat().st_size < 250_000


@pytest.mark.full
def test_classes_of_one_cell_make_a_run_in_the_next(tmp_path: Path) -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in OWN_CLASSES])
    nbformat.write(notebook, tmp_path / "own.ipynb")
    executed = _executed(tmp_path / "own.ipynb", tmp_path)
    printed = "".join(text for kind, text in _outputs(executed) if kind == "stdout")
    one, auto, two = printed.split("\n", maxsplit=2)
    assert (one, auto) == ("1 ['redness/red']", "auto ['redness/red']"), printed
    assert two.startswith("2 config: one fault, nothing was written.")
    assert "must be 1 or auto, because worker processes do not know what `ganstrata.register` made" in two
