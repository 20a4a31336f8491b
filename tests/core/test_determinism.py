"""The same config gives the same bytes, however the work is cut, spread or interrupted."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import ganstrata
import numpy as np
import pytest
import zarr
from ganstrata import Stream

DEADLINE = 120.0


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end, "what the test waits for did not happen"
        time.sleep(0.01)


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()]


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def marks(run: Path, name: str) -> int:
    return len(list((run / name / "done").glob("0*.json")))


def test_twice_is_the_same(fakes, finished, config, tmp_path: Path, contents) -> None:
    assert contents(ganstrata.run(config, tmp_path / "run").path) == contents(finished.path)


def test_two_workers_are_the_same_as_one(fakes, finished, config, tmp_path: Path, contents) -> None:
    config["engine"] = {"workers": 2}
    assert contents(ganstrata.run(config, tmp_path / "run").path) == contents(finished.path)


def test_another_seed_is_not_the_same(fakes, finished, config, tmp_path: Path, contents) -> None:
    config["synthesis"]["seed"] = 4
    ours, theirs = contents(ganstrata.run(config, tmp_path / "run").path), contents(finished.path)
    assert all(ours[name] != theirs[name] for name in ("boundaries.safetensors", "rescoring.csv", "edits/joint.png", "figures/depth.csv"))


def test_more_samples_begin_with_the_same(fakes, finished, config, tmp_path: Path) -> None:
    # Short last batches are filled up, so that a sample's company does not depend on how many there are.
    config["synthesis"]["samples"] = 650
    run = ganstrata.run(config, tmp_path / "run")
    for name in ("w", "index", "scores/seen"):
        longer = zarr.open_group(run.path / "samples.zarr", mode="r")[name][:]
        shorter = zarr.open_group(finished.path / "samples.zarr", mode="r")[name][:]
        assert len(longer) == 650
        assert longer[:640].tobytes() == shorter.tobytes()


def test_batch_size_changes_no_sample(fakes, finished, config, tmp_path: Path) -> None:
    generator = ganstrata.load_generator("fake_layers", device="cpu")
    whole = generator.sample(48, 3, 0, Stream.PROBING).z
    parts = [generator.sample(n, 3, start, Stream.PROBING).z for start, n in ((0, 5), (5, 1), (6, 42))]
    assert whole.numpy().tobytes() == b"".join(part.numpy().tobytes() for part in parts)
    config["synthesis"]["batch_size"] = 28  # divides neither the samples nor the other batch size
    run = ganstrata.run(config, tmp_path / "run")
    ours, theirs = (zarr.open_group(r.path / "samples.zarr", mode="r") for r in (run, finished))
    assert np.array_equal(ours["index"][:], theirs["index"][:])
    np.testing.assert_allclose(ours["w"][:], theirs["w"][:], atol=1e-5)
    np.testing.assert_allclose(ours["scores/seen"][:, :4], theirs["scores/seen"][:, :4], atol=1e-5)
    assert set(run.manifest["stages"]["rescore"]["factors"]) == set(finished.manifest["stages"]["rescore"]["factors"])


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds a command's workers through /proc")
def test_killed_at_any_point_and_continued_is_the_same(
    fakes, finished, config, tmp_path: Path, contents, written, start, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, file = tmp_path / "run", written(config)
    monkeypatch.setenv("FAKES_SLEEP", "0.02")
    # The command alone is killed: its workers must not live on and write into a run that is continued.
    process = start("run", file, "--out", run, "--set", "engine.workers=2")
    until(lambda: marks(run, "rescoring.zarr") > 0 or process.poll() is not None)
    workers = children(process.pid)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert len(workers) >= 2
    until(lambda: not any(is_alive(worker) for worker in workers))
    before = marks(run, "rescoring.zarr")
    assert 0 < before < 36
    assert not (run / "rescoring.csv").exists()
    monkeypatch.delenv("FAKES_SLEEP")
    ganstrata.run(config, run)
    assert contents(run) == contents(finished.path)


def test_one_batch_of_the_bundled_model_is_the_same_twice(rooms: ganstrata.Generator) -> None:
    latents = rooms.sample(3, 11, 5, Stream.EDITING)
    images = [ganstrata.render(rooms, rooms.broadcast(rooms.map(latents.z)), index=latents.index).numpy().tobytes() for _ in range(2)]
    assert images[0] == images[1]


@pytest.mark.full
@pytest.mark.parametrize("seed", range(6))
def test_killed_again_and_again_at_random_is_the_same(
    seed: int, fakes, finished, config, tmp_path: Path, contents, written, start, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, file, chance = tmp_path / "run", written(config), random.Random(seed)
    monkeypatch.setenv("FAKES_SLEEP", "0.02")
    for _ in range(4):
        process = start("run", file, "--out", run, "--set", f"engine.workers={1 + seed % 2}")
        until(lambda process=process: run.exists() or process.poll() is not None)
        time.sleep(chance.uniform(0.0, 8.0))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    monkeypatch.delenv("FAKES_SLEEP")
    ganstrata.run(config, run)
    assert contents(run) == contents(finished.path)
