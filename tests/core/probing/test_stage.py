"""Stage 1: what is stored of a sample."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import ganstrata
import numpy as np
import pytest
import zarr
from ganstrata.core.config.reading import validate
from ganstrata.core.pipeline.perform import perform
from ganstrata.core.probing.stage import shard_size
from ganstrata.core.runs.prepare import prepare
from ganstrata.core.runs.progress import Progress


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
