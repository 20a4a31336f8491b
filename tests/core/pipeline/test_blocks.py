"""Directions moved in blocks: fewer files and baselines, and the same numbers."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import _on_path
from ganstrata.core.config.reading import validate
from ganstrata.core.rescoring import work_units
from ganstrata.core.rescoring.work_units import block_size
from ganstrata.core.runs.prepare import prepare
from ganstrata.core.runs.run import Run
from small_runs import NULL, Made, awkward, stage_by_stage

BOUNDARIES = 3


def in_blocks(site: Path, folder: Path, *, adaptive: bool) -> Made:
    """Begin or continue the small run with 4 directions in a block, so that there are several blocks."""
    assert NULL + BOUNDARIES > 4
    with pytest.MonkeyPatch.context() as patch, _on_path(site):
        for name, value in (("BLOCK", 4), ("FEWEST_UNITS", 1), ("FEWEST_IN_ROUND", 1)):
            patch.setattr(work_units, name, value)
        return stage_by_stage(awkward(adaptive=adaptive), folder)


@pytest.fixture(scope="module")
def adaptive_in_blocks(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Return the run with interim analyses in blocks. Tests must not change it."""
    return in_blocks(site, tmp_path_factory.mktemp("blocks") / "run", adaptive=True)


def files(run: Run, name: str) -> int:
    return sum(file.is_file() for file in (run.path / "rescoring.zarr" / name).rglob("*"))


@pytest.mark.parametrize("schedule", ["plain", "adaptive"])
def test_blocks_change_no_number(
    schedule: str, site: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    single: Made = request.getfixturevalue(schedule)
    adaptive = schedule == "adaptive"
    if adaptive:
        blocks: Made = request.getfixturevalue("adaptive_in_blocks")
    else:
        blocks = in_blocks(site, tmp_path / "run", adaptive=False)
    arrays = ["sums", "own", "resampled", *(("sums_all", "own_all") if adaptive else ())]
    ours, theirs = (made.run.arrays("rescoring.zarr") for made in (blocks, single))
    for name in arrays:
        assert ours.read(name).tobytes() == theirs.read(name).tobytes(), name
        assert not np.isnan(ours.read(name)).all()
    table = "rescoring.csv"
    assert (blocks.run.path / table).read_bytes() == (single.run.path / table).read_bytes()
    stage = blocks.run.record.stages["rescore"]
    assert stage.images == single.run.record.stages["rescore"].images
    assert sum(blocks.progress.counts["rescore"]) == sum(single.progress.counts["rescore"])
    assert blocks.pictures["rescore"] <= single.pictures["rescore"]
    assert files(blocks.run, "done") < files(single.run, "done") / 2
    assert files(blocks.run, "sums/c") < files(single.run, "sums/c") / 2


def test_blocks_that_are_lost_are_done_again(site: Path, adaptive_in_blocks: Made, tmp_path: Path) -> None:
    path = Path(shutil.copytree(adaptive_in_blocks.run.path, tmp_path / "run"))
    whole = {file: file.read_bytes() for file in path.rglob("*") if file.is_file()}
    shutil.rmtree(path / "rescoring.zarr" / "sums" / "c" / "1")
    (path / "rescoring.zarr" / "own_all" / "c" / "0" / "0" / "0" / "1").write_bytes(b"torn")
    (path / "rescoring.csv").unlink()
    in_blocks(site, path, adaptive=True)
    again = {file: file.read_bytes() for file in path.rglob("*") if file.is_file()}
    assert again.keys() == whole.keys()
    assert [file.name for file in again if again[file] != whole[file]] == ["run.json"]


def test_the_size_of_a_block_leaves_units_for_many_workers_and_little_to_lose(fakes, config) -> None:
    config["rescoring"] |= {"samples": 500, "null_directions": 100, "layers": ["all", "each"]}
    config["synthesis"] |= {"batch_size": 10}
    prepared = prepare(validate(config, "test"))

    def block(boundaries: int, side: int = 64, grid: int = 2) -> int:
        card = replace(prepared.generator.card, resolution=side, height=side, width=side)
        return block_size(
            replace(prepared, generator=type("G", (), {"card": card})()), boundaries + 100, grid
        )

    assert block(467) == 32
    assert block(467, grid=1) == 1, "early runs keep their files"
    assert block(28) == 16  # 50 batches of 128 directions: 25 units of 32 directions a batch would be 200
    assert block(0) == 16
    # 9 or 10 passes of 10 pictures: at 1024 pixels, 2^28 pixels are 256 pictures.
    assert block(467, side=1024) == 2
    assert block(467, side=4096) == 1
    config["rescoring"]["adaptive"] = True
    prepared = prepare(validate(config, "test"))
    assert block(467) == 16  # of 567 directions in the two batches of the first look
