"""The batch of a run halves when memory runs out, and is kept once samples are stored."""

from __future__ import annotations

from pathlib import Path

import ganstrata
import pytest
from ganstrata import MemoryExhausted
from ganstrata.core.runs.run import Run


@pytest.fixture
def auto(fakes, config):
    config["synthesis"] |= {"batch_size": "auto", "samples": 200}
    config["boundary"]["with"] = {"positives": 30, "negatives": 30}
    config["rescoring"] |= {"layers": ["all", "top"], "samples": 32, "null_directions": 3, "bootstrap": 100}
    config["editing"] = {"samples": 1, "steps": 2}
    return config


def test_the_batch_halves_until_it_fits_and_is_kept(
    auto, tmp_path: Path, invoke, written, contents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKES_MOST", "20")
    done = invoke("run", written(auto), "--out", tmp_path / "run")
    assert done.exit_code == 0, done.stderr
    assert "memory ran out with batches of 64 pictures; trying 32" in done.stderr
    assert "memory ran out with batches of 32 pictures; trying 16" in done.stderr
    assert Run.open(tmp_path / "run").batch == 16

    monkeypatch.delenv("FAKES_MOST")
    (tmp_path / "run" / "rescoring.csv").unlink()
    ganstrata.run(auto, tmp_path / "run")
    assert Run.open(tmp_path / "run").batch == 16

    auto["synthesis"]["batch_size"] = 16
    ganstrata.run(auto, tmp_path / "given")
    assert numbers(contents(tmp_path / "given")) == numbers(contents(tmp_path / "run"))


def numbers(files: dict[str, bytes]) -> dict[str, bytes]:
    """Files without marks, whose keys tell `auto` from a number."""
    return {name: content for name, content in files.items() if "/done/" not in name}


def test_it_halves_when_a_worker_is_the_first_to_run_out_and_run_json_was_written(
    auto, tmp_path: Path, invoke, written, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKES_MOST", "32 in workers")
    auto["checks"] = False
    auto["engine"] = {"workers": 2}
    auto["synthesis"]["samples"] = 1200  # more than one shard: a single task would not go to a worker
    done = invoke("synthesize", tmp_path / "run", "--config", written(auto))
    assert done.exit_code == 0, done.stderr
    assert Run.open(tmp_path / "run").batch == 32


def test_a_batch_of_the_config_is_kept_and_the_message_says_what_to_set(
    auto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKES_MOST", "20")
    auto["synthesis"]["batch_size"] = 32
    with pytest.raises(MemoryExhausted, match=r"batches of 32: --set synthesis\.batch_size=16, or auto"):
        ganstrata.run(auto, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_single_picture_that_is_too_large_is_said_to_be_one(
    auto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKES_MOST", "0")
    auto["checks"] = False
    with pytest.raises(MemoryExhausted, match="One picture at a time needs more memory"):
        ganstrata.run(auto, tmp_path / "run")


def test_once_samples_are_stored_the_batch_stays(
    auto, tmp_path: Path, invoke, written, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, run = written(auto), tmp_path / "run"
    assert invoke("synthesize", run, "--config", file).exit_code == 0
    assert invoke("learn", run).exit_code == 0
    monkeypatch.setenv("FAKES_MOST", "20")
    done = invoke("run", file, "--out", run)
    assert done.exit_code == 1
    assert "stored in batches of 64, which it keeps" in done.stderr
    assert "make a new run with --set synthesis.batch_size=32" in done.stderr
    assert Run.open(run).batch == 64


def test_other_errors_pass_as_they_are(auto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("a fault")

    monkeypatch.setattr("ganstrata.core.pipeline.perform.check_batch", fail)
    with pytest.raises(RuntimeError, match="a fault"):
        ganstrata.run(auto, tmp_path / "run")
