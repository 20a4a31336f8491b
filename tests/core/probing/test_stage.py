"""Stage 1: what is stored of a sample."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import ganstrata
import numpy as np
import pytest
import zarr
from ganstrata.core.config.reading import validate
from ganstrata.core.pipeline.perform import perform
from ganstrata.core.probing import stage
from ganstrata.core.probing.stage import shard_size
from ganstrata.core.runs.prepare import prepare
from ganstrata.core.runs.progress import Progress
from ganstrata.core.runs.run import Run
from ganstrata.core.storage.disk import DiskError

SMALL = 64  # samples in a chunk


@pytest.mark.parametrize(("batch", "wanted"), [(1, 512), (32, 512), (60, 540), (512, 512), (700, 700)])
def test_a_piece_is_whole_batches(batch: int, wanted: int, fakes, config) -> None:
    config["synthesis"]["batch_size"] = batch
    assert [shard_size(prepare(validate(config, "test")), grid) for grid in (1, 2)] == [wanted, wanted]


def test_pieces_grow_with_the_run_and_shrink_with_the_picture(fakes, config) -> None:
    config["synthesis"] |= {"batch_size": 32, "samples": 500_000}
    prepared = prepare(validate(config, "test"))

    def size(side: int, concepts: int = 3) -> int:
        card = replace(prepared.generator.card, resolution=side, height=side, width=side)
        generator = SimpleNamespace(card=card)
        scorers = {"seen": SimpleNamespace(concepts=range(concepts))}
        return shard_size(replace(prepared, generator=generator, scorers=scorers), 2)

    assert size(64) == 1984  # 256 shards, in whole batches
    assert shard_size(prepared, 1) == 512
    assert size(1024) == 256
    assert size(16384) == 32, "never less than a batch"
    assert size(64, concepts=2**16) == 256, "64 MiB of float32"


def test_classes_and_extras_are_stored(fakes, config, tmp_path: Path) -> None:
    config["generator"]["use"], config["scorers"] = "fake_classes", [{"use": "fake_trusting"}]
    config["synthesis"] |= {"samples": 100, "batch_size": 30}
    config["boundary"]["with"] = {"positives": 20, "negatives": 20}
    run = perform(
        validate(config, "test"),
        tmp_path / "run",
        ("synthesize",),
        source="test",
        progress=Progress(quiet=True),
    )
    for i, block in enumerate(ganstrata.open_run(run.path).sample_blocks(1)):  # of one class each
        assert block.classes.tolist() == block.condition.tolist() == [i % 3]
    assert i == 99
    group = zarr.open_group(run.path / "samples.zarr", mode="r")
    assert np.array_equal(group["condition"][:], np.arange(100) % 3)
    assert group["extras/fake_trusting"].shape == (100, 2)
    assert (group["extras/fake_trusting"][:, 0] > group["extras/fake_trusting"][:, 1]).all()
    w = group["w"][:].astype(np.float64)
    assert w[np.arange(100) % 3 == 2, 8:].mean() - w[np.arange(100) % 3 == 0, 8:].mean() == pytest.approx(
        2.0, abs=0.5
    )
    assert "extras" not in ganstrata.open_run(run.path).manifest


def test_classes_go_through_all_stages(fakes, config, tmp_path: Path) -> None:
    config["generator"]["use"] = "fake_classes"
    run = ganstrata.run(config, tmp_path / "run")
    assert {"seen/left", "seen/red"} <= set(run.manifest["stages"]["rescore"]["factors"])


@pytest.fixture
def on_accelerator(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks, of few samples, are spread over tasks and written as there, but computed on the CPU."""
    monkeypatch.setattr(stage, "SHARD", SMALL)
    monkeypatch.setattr(stage, "_on_accelerator", lambda prepared: True)


def _synthesized(config: dict[str, Any], path: Path) -> Run:
    return perform(
        validate(config, "test"), path, ("synthesize",), source="test", progress=Progress(quiet=True)
    )


def test_a_chunk_is_written_while_the_next_is_computed_with_the_same_bytes(
    fakes, config, tmp_path: Path, contents, on_accelerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    config["synthesis"] |= {"samples": 16 * SMALL + 8, "batch_size": 16}  # 17 chunks
    monkeypatch.setattr(stage, "_on_accelerator", lambda prepared: False)
    _synthesized(config, tmp_path / "cpu")
    events: list[tuple[str, int]] = []
    begin, write = stage._begin_batch, stage._write
    written = threading.Event()

    def began(prepared, first, owners):
        if first % SMALL == 0:
            events.append(("computed", first // SMALL))
        if first == SMALL + 32:
            assert written.wait(30.0), "chunk 0 is written while chunk 1 is computed"
        return begin(prepared, first, owners)

    def wrote(path, chunk, parts):
        write(path, chunk, parts)
        events.append(("written", chunk.start // SMALL))
        assert threading.current_thread() is not threading.main_thread()
        written.set()

    monkeypatch.setattr(stage, "_on_accelerator", lambda prepared: True)
    monkeypatch.setattr(stage, "_begin_batch", began)
    monkeypatch.setattr(stage, "_write", wrote)
    _synthesized(config, tmp_path / "gpu")
    assert [number for what, number in events if what == "written"] == list(range(17))
    for number in range(14):
        assert events.index(("written", number)) < events.index(("computed", number + 3)), "one in flight"
    assert contents(tmp_path / "gpu") == contents(tmp_path / "cpu")


@pytest.mark.parametrize("failing", [1, 16])
def test_a_chunk_that_cannot_be_written_ends_the_stage_and_is_done_again(
    failing: int, fakes, config, tmp_path: Path, contents, on_accelerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    config["synthesis"] |= {"samples": 16 * SMALL + 8, "batch_size": 16}
    write = stage._write

    def full(path, chunk, parts):
        if chunk.start // SMALL == failing:
            raise DiskError("cannot write: no space left")
        write(path, chunk, parts)

    monkeypatch.setattr(stage, "_write", full)
    with pytest.raises(DiskError, match="no space left"):
        _synthesized(config, tmp_path / "run")
    done = {mark.name for mark in (tmp_path / "run" / "samples.zarr" / "done").glob("*.json")}
    assert len(done) == 2 * failing, "w and scores of each chunk before it, and nothing after it"
    monkeypatch.setattr(stage, "_write", write)
    _synthesized(config, tmp_path / "run")
    monkeypatch.setattr(stage, "_on_accelerator", lambda prepared: False)
    _synthesized(config, tmp_path / "cpu")
    assert contents(tmp_path / "run") == contents(tmp_path / "cpu")


def test_tasks_on_an_accelerator_have_several_chunks_but_each_worker_several_tasks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def sizes(chunks: int, workers: int, *, accelerator: bool = True) -> list[int]:
        monkeypatch.setattr(stage, "_on_accelerator", lambda prepared: accelerator)
        missing = [stage.Chunk(i, i + 1, ()) for i in range(chunks)]
        engine = SimpleNamespace(prepared=None, workers=workers)
        tasks = stage._tasks(SimpleNamespace(path="run"), missing, engine)
        assert [chunk for _, part in tasks for chunk in part] == missing
        return [len(part) for _, part in tasks]

    assert sizes(17, 1) == [4, 4, 4, 4, 1]
    assert sizes(256, 8) == [4] * 64
    assert sizes(17, 2) == [2] * 8 + [1]
    assert sizes(9, 8) == [1] * 9
    assert sizes(17, 1, accelerator=False) == [1] * 17
