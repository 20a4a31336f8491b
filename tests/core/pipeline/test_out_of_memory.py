"""The batch of a run halves when memory runs out, and is kept once samples are stored."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import ganstrata
import pytest
import torch
from ganstrata import MemoryExhausted, Rendering, Scorer
from ganstrata.core.config.reading import validate
from ganstrata.core.pipeline.batch_size import with_half_the_batch
from ganstrata.core.plugins import scoring
from ganstrata.core.probing.stage import open_samples
from ganstrata.core.runs.prepare import prepare
from ganstrata.core.runs.run import Run
from processes import ENGINES

CPU = "[enforce fail at alloc_cpu.cpp:117] . DefaultCPUAllocator: can't allocate memory: you tried to ..."


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


@pytest.mark.full
@pytest.mark.parametrize("engine", ENGINES)
def test_a_whole_run_halves_when_workers_of_another_engine_run_out(
    engine: str, auto, tmp_path: Path, start, written, contents, monkeypatch: pytest.MonkeyPatch
) -> None:
    package, settings = ENGINES[engine]
    pytest.importorskip(package, reason=f"{package} is not installed")
    monkeypatch.chdir(tmp_path)
    auto["checks"] = False
    auto["synthesis"]["samples"] = 1200
    sets = [word for setting in (*settings, "engine.workers=2") for word in ("--set", setting)]
    monkeypatch.setenv("FAKES_MOST", "20 in workers")
    process = start("run", written(auto), "--out", tmp_path / "run", *sets)
    _, stderr = process.communicate(timeout=500)
    assert process.returncode == 0, stderr
    assert "memory ran out with batches of 64 pictures; trying 32" in stderr
    assert "memory ran out with batches of 32 pictures; trying 16" in stderr
    assert "was done again" not in stderr, "no worker was lost"
    assert Run.open(tmp_path / "run").batch == 16

    monkeypatch.delenv("FAKES_MOST")
    auto["synthesis"]["batch_size"] = 16
    ganstrata.run(auto, tmp_path / "given")
    assert numbers(contents(tmp_path / "given")) == numbers(contents(tmp_path / "run"))


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


@pytest.fixture
def scoring_fails(fakes: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let the core's call of a scorer fail in batches of more than `most`, from the n-th of a stage on."""

    def from_call(run: Path, n: int, most: int) -> None:
        score, calls = fakes.Readings.score, [0]

        def failing(self: Scorer, rendering: Rendering) -> torch.Tensor:
            if (run / "run.json").is_file():
                calls[0] += 1
                if calls[0] >= n and len(rendering.images) > most:
                    raise RuntimeError(CPU)
            return score(self, rendering)

        monkeypatch.setattr(fakes.Readings, "score", failing)

    return from_call


def test_it_halves_in_a_later_batch_as_long_as_nothing_is_stored(
    auto, tmp_path: Path, invoke, written, contents, scoring_fails, monkeypatch: pytest.MonkeyPatch
) -> None:
    scoring_fails(tmp_path / "run", 3, 16)
    done = invoke("synthesize", tmp_path / "run", "--config", written(auto))
    assert done.exit_code == 0, done.stderr
    assert "memory ran out with batches of 64 pictures; trying 32" in done.stderr
    assert Run.open(tmp_path / "run").batch == 16
    monkeypatch.undo()
    auto["synthesis"]["batch_size"] = 16
    invoke("synthesize", tmp_path / "given", "--config", written(auto))
    given, run = (numbers(contents(tmp_path / name)) for name in ("given", "run"))
    assert {n: c for n, c in given.items() if ".zarr/" in n} == {
        n: c for n, c in run.items() if ".zarr/" in n
    }


def test_after_the_first_shard_the_batch_stays_and_the_run_goes_on_with_more_memory(
    auto, tmp_path: Path, invoke, written, contents, scoring_fails, monkeypatch: pytest.MonkeyPatch
) -> None:
    auto["synthesis"]["samples"] = 600  # two shards, of 8 and 2 batches
    file, run = written(auto), tmp_path / "run"
    scoring_fails(run, 10, 16)
    failed = invoke("synthesize", run, "--config", file)
    assert failed.exit_code == 1
    assert "stored in batches of 64, which it keeps" in failed.stderr
    assert len(list((run / "samples.zarr" / "done").glob("*.json"))) == 2, "w and scores of the first shard"
    monkeypatch.undo()
    assert invoke("synthesize", run, "--config", file).exit_code == 0
    assert invoke("synthesize", tmp_path / "at once", "--config", file).exit_code == 0
    ours, theirs = (open_samples(Run.open(path)) for path in (run, tmp_path / "at once"))
    alias = next(iter(Run.open(run).keys.scores))
    assert ours.read(f"scores/{alias}").tobytes() == theirs.read(f"scores/{alias}").tobytes()


def test_a_scorer_that_is_added_to_a_run_and_needs_too_much_leaves_the_run_as_it_was(
    auto, fakes: ModuleType, tmp_path: Path, invoke, written, contents, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    assert invoke("synthesize", run, "--config", written(auto)).exit_code == 0
    before = contents(run)

    def failing(self: Scorer, rendering: Rendering) -> torch.Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(fakes.Constant, "score", failing)
    auto["checks"] = False
    auto["scorers"].append({"use": "fake_constant", "as": "more"})
    failed = invoke("synthesize", run, "--config", written(auto))
    assert failed.exit_code == 1
    assert "stored in batches of 64, which it keeps" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert contents(run) == before


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        RuntimeError(CPU),
        MemoryError(),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        MemoryExhausted("a worker process needs more memory than there is"),
    ],
    ids=lambda error: f"{type(error).__name__} {error}"[:40],
)
def test_memory_runs_out_in_many_words(auto, tmp_path: Path, error: Exception) -> None:
    prepared = prepare(validate(auto, "test"), check=False)
    assert prepared.batch == 64
    for stage in (None, "synthesize", "rescore"):
        assert with_half_the_batch(prepared, tmp_path, error, stage).batch == 32
    for stage in ("learn", "report"):  # they make no batches
        with pytest.raises(type(error)) as raised:
            with_half_the_batch(prepared, tmp_path, error, stage)
        assert raised.value is error


def test_memory_that_a_function_of_the_user_lacks_is_no_mistake_in_it(tmp_path: Path) -> None:
    file = tmp_path / "measures.py"
    file.write_text("import torch\ndef much(images):\n    raise torch.OutOfMemoryError('out of memory')\n")
    scorer = ganstrata.load_scorer(
        "callable", target=f"{file}:much", concepts=[{"name": "much"}], device="cpu", check=False
    )
    with pytest.raises(MemoryExhausted, match="out of memory"):
        scorer.score(Rendering(torch.full((2, 3, 8, 8), 0.5)))


def test_memory_that_fetching_scores_lacks_is_no_fault_of_the_scorer(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(tensor: torch.Tensor) -> None:
        if tensor.shape == (2, 14):  # scores, not what tells whether a scorer writes into its input
            raise torch.OutOfMemoryError("CUDA out of memory")
        return fetch(tensor)

    fetch = scoring.Fetch
    monkeypatch.setattr(scoring, "Fetch", fail)
    with pytest.raises(torch.OutOfMemoryError):
        scoring.begin_scores(
            ganstrata.load_scorer("hue", device="cpu"), Rendering(torch.full((2, 3, 8, 8), 0.5))
        )


def test_other_errors_pass_as_they_are(auto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("a fault")

    monkeypatch.setattr("ganstrata.core.pipeline.perform.check_batch", fail)
    with pytest.raises(RuntimeError, match="a fault"):
        ganstrata.run(auto, tmp_path / "run")
