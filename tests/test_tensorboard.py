"""The listener in examples/tensorboard, installed with pip, passes its tests and survives a kill."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from distributions import install

SOURCE = Path(__file__).resolve().parents[1] / "examples/tensorboard"

accumulator = pytest.importorskip(
    "tensorboard.backend.event_processing.event_accumulator", reason="tensorboard is not installed"
)


@pytest.fixture
def listening(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder where the listener is installed, for processes that start from now on."""
    site = install([SOURCE], tmp_path / "installed")
    before = os.environ.get("PYTHONPATH")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(site), *filter(None, [before])]))
    monkeypatch.delenv("GANSTRATA_TENSORBOARD", raising=False)
    return site


@pytest.mark.full
def test_its_own_tests_pass(listening: Path, tmp_path: Path) -> None:
    line = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider"]
    folder = tmp_path / "installed/source/tensorboard"
    done = subprocess.run([*line, str(folder)], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout


@pytest.mark.full
def test_a_run_that_was_killed_is_logged_once(
    fakes: object,
    listening: Path,
    start: Callable[..., subprocess.Popen[str]],
    config: dict[str, Any],
    written: Callable[[object], Path],
    tmp_path: Path,
) -> None:
    out, log = tmp_path / "runs/small", tmp_path / "runs/tensorboard/small"
    config["editing"] |= {"samples": 16, "steps": 7}  # enough for the kill to come before the end

    killed = start("run", written(config), "--out", out)
    while not (out / "edits").is_dir():  # the listener was called for `edit` before
        assert killed.poll() is None, killed.communicate()
        time.sleep(0.01)
    killed.kill()
    killed.wait()
    assert not (out / "report.html").exists()
    reader = accumulator.EventAccumulator(str(log)).Reload()
    assert "seconds/rescore" in reader.Tags()["scalars"]
    assert "seconds/edit" not in reader.Tags()["scalars"]
    assert "| edit | running since" in _stages(reader)

    continued = start("run", written(config), "--out", out)
    output = continued.communicate()
    assert continued.returncode == 0, output
    assert "listener" not in "".join(output)
    reader = accumulator.EventAccumulator(str(log)).Reload()
    tags = [tag for tag in reader.Tags()["scalars"] if not tag.startswith(("effect_at_layer", "hierarchy"))]
    assert {"seconds/synthesize", "seconds/report", "concepts/with_effect"} <= set(tags)
    assert {len(reader.Scalars(tag)) for tag in tags} == {1}
    assert "running" not in _stages(reader)


def _stages(reader: Any) -> str:
    (event,) = reader.Tensors("stages/text_summary")
    return event.tensor_proto.string_val[0].decode()
