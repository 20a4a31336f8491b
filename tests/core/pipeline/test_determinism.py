"""The same config gives the same bytes, however the work is cut, spread or interrupted."""

from __future__ import annotations

from pathlib import Path

import ganstrata
import numpy as np
import zarr
from ganstrata import Stream


def test_twice_is_the_same(fakes, compacted, compact, tmp_path: Path, contents) -> None:
    assert contents(ganstrata.run(compact, tmp_path / "run").path) == contents(compacted.path)


def test_two_workers_are_the_same_as_one(fakes, compacted, compact, tmp_path: Path, contents) -> None:
    compact["engine"] = {"workers": 2}
    assert contents(ganstrata.run(compact, tmp_path / "run").path) == contents(compacted.path)


def test_another_seed_is_not_the_same(fakes, finished, config, tmp_path: Path, contents) -> None:
    config["synthesis"]["seed"] = 4
    ours, theirs = contents(ganstrata.run(config, tmp_path / "run").path), contents(finished.path)
    assert all(
        ours[name] != theirs[name]
        for name in ("boundaries.safetensors", "rescoring.csv", "edits/joint.png", "figures/depth.csv")
    )


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
    assert set(run.manifest["stages"]["rescore"]["factors"]) == set(
        finished.manifest["stages"]["rescore"]["factors"]
    )


def test_one_batch_of_the_bundled_model_is_the_same_twice(rooms: ganstrata.Generator) -> None:
    latents = rooms.sample(3, 11, 5, Stream.EDITING)
    images = [
        ganstrata.render(rooms, rooms.broadcast(rooms.map(latents.z)), index=latents.index).numpy().tobytes()
        for _ in range(2)
    ]
    assert images[0] == images[1]
