"""A run that lost pieces computes only these again, counts as before, and ends with the same bytes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from ganstrata.core.boundaries.files import load_boundaries
from ganstrata.core.boundaries.resampled import Resampled
from ganstrata.core.editing import stage as edit
from ganstrata.core.probing import stage as synthesis
from ganstrata.core.rescoring import stage as rescoring
from ganstrata.core.runs.prepare import prepare
from ganstrata.core.runs.run import Run
from ganstrata.core.storage.shards import Shards
from small_runs import BATCH, MOVED, NULL, SAMPLES, SETS, SHOWN, Made, awkward, stage_by_stage


@pytest.fixture(autouse=True)
def _pieces(fakes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthesis, "SHARD", BATCH)


def complete(run: Run) -> list[bool]:
    prepared = prepare(run.config, batch=run.batch, check=False)
    return [stage.is_complete(run, prepared) for stage in (synthesis, rescoring, edit)]


@pytest.fixture
def again(plain: Made, tmp_path: Path) -> Path:
    return Path(shutil.copytree(plain.run.path, tmp_path / "again"))


@pytest.mark.parametrize("kind", ["plain", "adaptive"])
def test_progress_goes_up_to_what_was_promised(kind: str, request: pytest.FixtureRequest) -> None:
    made: Made = request.getfixturevalue(kind)
    factors = 4  # boundaries
    most = 1 if kind == "plain" else 3
    backward = len(SETS) if kind == "plain" else 1  # layer sets
    promised = {
        "synthesize": SAMPLES,
        "learn": 3 * (1 + 4),
        "rescore": MOVED * (most + (factors + NULL) * len(SETS) + factors * backward) + 40 * 4 * factors,
        "edit": factors * 3,
    }
    for stage, total in promised.items():
        assert (
            made.progress.steps[stage].total
            == made.progress.steps[stage].done
            == sum(made.progress.counts[stage])
            == total
        )
        assert min(made.progress.counts[stage]) >= (0 if stage == "rescore" else 1)
    assert made.progress.counts["synthesize"] == [BATCH] * 7 + [5]
    if kind == "plain":
        once, last = made.progress.counts["rescore"][0], made.progress.counts["rescore"][-2]
        assert once == BATCH * (1 + 2 * len(SETS))  # a boundary, and the baseline
        assert last == 7 * len(SETS)  # a null direction in the last batch
        assert made.run.manifest["stages"]["rescore"]["images"] == promised["rescore"]
    else:
        assert (
            made.progress.counts["rescore"][-1]
            == promised["rescore"] - made.run.manifest["stages"]["rescore"]["images"]
            > 0
        )


def test_a_finished_run_is_complete_and_left_alone(plain: Made, again: Path, contents) -> None:
    assert complete(Run.open(again)) == [True] * 3
    made = stage_by_stage(awkward(adaptive=False), again)
    assert set(made.pictures.values()) == {0}
    assert contents(again) == contents(plain.run.path)


def test_pieces_of_the_samples_that_are_lost(plain: Made, again: Path, contents) -> None:
    marks = again / "samples.zarr/done"
    assert len(list(marks.glob("*.json"))) == 3 * 8
    (marks / "000000070-000000075.json").unlink()  # latents alone: no picture is made for them
    (scores,) = marks.glob("seen-*-000000020-000000030.json")
    scores.unlink()
    assert complete(Run.open(again)) == [False, True, True]
    made = stage_by_stage(awkward(adaptive=False), again)
    assert made.pictures["synthesize"] == BATCH
    assert made.progress.counts["synthesize"] == [BATCH, 5]
    assert f"synthesize: {SAMPLES - 15} of {SAMPLES} were done before" in made.progress.lines
    assert made.run.manifest["stages"]["synthesize"]["images"] == SAMPLES
    assert contents(again) == contents(plain.run.path)


def test_moves_that_are_lost(plain: Made, again: Path, contents) -> None:
    marks = again / "rescoring.zarr/done"
    assert len(list(marks.glob("0*.json"))) == 5 * (4 + NULL) + 4 * 4
    for name in ("0000010-00000", "0000040-00005", "0000010-00002-resampled"):
        (marks / f"{name}.json").unlink()
    assert complete(Run.open(again)) == [True, False, True]
    made = stage_by_stage(awkward(adaptive=False), again)
    total = made.progress.steps["rescore"].total
    lost = [BATCH * (1 + 2 * len(SETS)), BATCH * 4, 7 * len(SETS)]
    assert sorted(made.progress.counts["rescore"])[1:] == sorted(lost)
    assert f"rescore: {total - sum(lost)} of {total} were done before" in made.progress.lines
    assert made.pictures["rescore"] == BATCH * (
        2 + 2 * len(SETS) + 4 + len(SETS)
    )  # the last batch is filled up
    assert made.run.manifest["stages"]["rescore"]["images"] == total
    assert contents(again) == contents(plain.run.path)


def test_moves_of_each_part_that_are_lost(adaptive: Made, tmp_path: Path, contents) -> None:
    again = Path(shutil.copytree(adaptive.run.path, tmp_path / "again"))
    marks = again / "rescoring.zarr/done"
    for name in ("0000000-00001-all", "0000000-00001-resampled", "0000010-00004-layers"):
        (marks / f"{name}.json").unlink()
    assert complete(Run.open(again)) == [True, False, True]
    made = stage_by_stage(awkward(adaptive=True), again)
    assert made.pictures["rescore"] == BATCH * (
        1 + 2 + 4 + 1 + len(SETS) - 1
    )  # the baseline of the first batch is still there
    assert made.progress.steps["rescore"].done == made.progress.steps["rescore"].total
    assert (
        made.progress.counts["rescore"][-1] == adaptive.progress.counts["rescore"][-1]
    )  # what need not be done
    assert min(made.progress.counts["rescore"]) >= 0
    counted = [m.run.manifest["stages"]["rescore"]["images"] for m in (made, adaptive)]
    assert counted[0] == counted[1]
    assert contents(again) == contents(adaptive.run.path)


def test_strips_that_are_lost(plain: Made, again: Path, contents) -> None:
    (again / "edits/seen.red.lower.png").unlink()
    assert complete(Run.open(again)) == [True, True, False]
    made = stage_by_stage(awkward(adaptive=False), again)
    assert made.pictures["edit"] >= 4 * 3 * SHOWN * 3
    assert contents(again) == contents(plain.run.path)


def test_other_replicates_are_moved_anew(plain: Made, again: Path) -> None:
    run = Run.open(again)
    boundaries, _ = load_boundaries(again)
    resampled = Resampled.load(again, boundaries)
    Resampled(np.roll(resampled.normals, 1, axis=0), resampled.spreads).save(again)
    run.finish("learn", seconds=0.0, files=tuple(run.manifest["stages"]["learn"]["files"]))
    made = stage_by_stage(awkward(adaptive=False), again)
    assert made.pictures["rescore"] == plain.pictures["rescore"]
    before, after = (Shards(path / "rescoring.zarr").read("resampled") for path in (plain.run.path, again))
    steps = resampled.spreads / np.roll(resampled.spreads, 1)  # the same directions with other steps
    assert np.nanmean(after[:, 1] / np.roll(before[:, 1], 1, axis=0), axis=1) == pytest.approx(
        steps, rel=0.02
    )


def test_one_factor_without_replicates_has_no_joint_edit(tmp_path: Path) -> None:
    config = awkward(adaptive=False)
    config |= {"concepts": {"include": ["seen/red"]}, "conditions": []}
    config["rescoring"] |= {"learning_resamples": 0, "layers": ["all", "upper"]}
    made = stage_by_stage(config, tmp_path / "run")
    assert complete(made.run) == [True] * 3
    assert made.run.manifest["stages"]["rescore"]["factors"] == ["seen/red"]
    assert set(made.run.manifest["stages"]["edit"]["files"]) == {
        *(f"edits/seen.red.{name}.png" for name in ("all", "lower", "upper")),
        *("edits/edits.csv", "edits/edits.json"),
    }
    assert json.loads((made.run.path / "edits/edits.json").read_text(encoding="utf-8")) == {
        "amounts": [-1.0, 0.5, 2.0],
        "joint": [],
    }
    assert (
        made.run.manifest["stages"]["rescore"]["images"]
        == MOVED * (1 + (2 + NULL) * 2)
        == made.progress.steps["rescore"].total
    )
    assert not (made.run.path / "resampled.safetensors").exists()
    assert "resampled" not in [part.name for part in (made.run.path / "rescoring.zarr").iterdir()]
