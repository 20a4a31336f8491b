"""Adaptive re-scoring finds what a full run finds with fewer samples, and does not depend on scheduling."""

from __future__ import annotations

import csv
import json
import shutil
from copy import deepcopy
from pathlib import Path
from typing import Any

import ganstrata
import numpy as np
import pytest
from conftest import CONFIG, _on_path
from ganstrata.core.config.reading import validate
from ganstrata.core.errors import ConfigError
from ganstrata.core.pipeline.forecast import forecast
from ganstrata.core.pipeline.perform import perform, resume
from ganstrata.core.rescoring.hierarchy import mean_depth
from ganstrata.core.rescoring.stored_effects import read_effects
from ganstrata.core.runs.prepare import prepare
from ganstrata.core.runs.progress import Progress
from ganstrata.core.runs.run import Run
from ganstrata.core.storage.shards import Shards


def adaptive() -> dict[str, Any]:
    config = deepcopy(CONFIG)
    config["rescoring"] |= {"samples": 128, "adaptive": True}
    return config


@pytest.fixture(scope="module")
def stopped(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return a complete run with interim analyses at 16, 32, 64 and 128. Tests must not change it."""
    with _on_path(site):
        return ganstrata.run(adaptive(), tmp_path_factory.mktemp("stopped") / "run")


@pytest.fixture(scope="module")
def whole(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return the same run without early stopping. Tests must not change it."""
    config = adaptive()
    config["rescoring"]["adaptive"] = False
    with _on_path(site):
        return ganstrata.run(config, tmp_path_factory.mktemp("whole") / "run")


def test_adaptive_sampling_finds_the_same_factors_with_half_the_work(stopped: Run, whole: Run) -> None:
    few, all_ = read_effects(stopped), read_effects(whole)
    assert (
        set(few.factor_names)
        == set(all_.factor_names)
        == {"seen/left", "seen/checks", "seen/stripes", "seen/red", "seen/half"}
    )
    work, full = (run.manifest["stages"]["report"]["work"] for run in (stopped, whole))
    assert full["done"] == full["full"] == pytest.approx(work["full"], rel=0.9)
    assert work["done"] < 0.5 * work["full"]
    assert (
        stopped.manifest["stages"]["rescore"]["images"] < 0.5 * whole.manifest["stages"]["rescore"]["images"]
    )
    depths = []
    for effects in (few, all_):
        rows = [effects.boundaries.names.index(name) for name in sorted(effects.factor_names)]
        depths.append(mean_depth(np.nanmean(effects.changes[rows][:, effects.single_layers(), 0], axis=2)))
    np.testing.assert_allclose(*depths, atol=0.1)


def test_what_cannot_become_a_factor_is_left_after_few_samples(stopped: Run) -> None:
    effects = read_effects(stopped)
    chance = effects.boundaries.names.index("seen/chance")
    others = np.arange(len(effects.sets)) != effects.all_set
    assert not effects.factors[chance]
    assert (effects.used[chance, others] == 16).all()


def test_samples_are_those_of_looks_and_null_directions_stop_after_the_first_but_at_all(
    stopped: Run,
) -> None:
    effects = read_effects(stopped)
    assert set(np.unique(effects.used)) <= {16, 32, 64, 128}
    others = np.arange(len(effects.sets)) != effects.all_set
    assert effects.null_used[0, effects.all_set] == min(64, effects.used[:, effects.all_set].max())
    assert (effects.null_used[0, others] == 16).all()
    with (stopped.path / "rescoring.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            i, s = effects.boundaries.names.index(row["boundary"]), list(effects.sets).index(row["layers"])
            # No decision at `all` rests on backward steps: they have the samples of the first look.
            at_first = s == effects.all_set and float(row["step"]) < 0.0
            assert int(row["samples"]) + int(row["undefined"]) == (16 if at_first else effects.used[i, s])


def test_changes_are_those_of_the_full_run_as_far_as_they_go(stopped: Run, whole: Run) -> None:
    few, all_ = Shards(stopped.path / "rescoring.zarr"), Shards(whole.path / "rescoring.zarr")
    effects = read_effects(stopped)
    every = all_.read("own")
    for i, s in np.ndindex(effects.used.shape):
        if "chance" in effects.boundaries[i].name:
            continue  # its scores hang on the last digits, which depend on the size of batches
        changes = few.read("own_all")[i, 0] if s == effects.all_set else few.read("own")[i, s]
        for k, used in enumerate((effects.used[i, s], 16 if s == effects.all_set else effects.used[i, s])):
            np.testing.assert_allclose(changes[k, :used], every[i, s][k, :used], atol=1e-4)
            assert np.isnan(changes[k, used:]).all()


def test_images_are_counted_as_they_are_made(fakes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "log"
    config = adaptive() | {"checks": False}  # which make pictures of their own
    quiet = Progress(quiet=True)
    run = perform(
        validate(config, "test"), tmp_path / "run", ("synthesize", "learn"), source="test", progress=quiet
    )
    monkeypatch.setenv("FAKES_LOG", str(log))
    resume(run.path, "rescore", progress=quiet)
    rendered = sum(int(line.split()[1]) for line in log.read_text(encoding="utf-8").splitlines())
    measuring = 2 * 4 + 32  # for the forecast
    # Where a worker comes back to a batch at another part of the work, its baseline is made again.
    assert rendered - measuring == Run.open(run.path).manifest["stages"]["rescore"]["images"]


def test_two_workers_and_a_run_that_was_interrupted_give_the_same_bytes(
    fakes, stopped: Run, tmp_path: Path, contents, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = adaptive()
    config["engine"] = {"workers": 2}
    assert contents(ganstrata.run(config, tmp_path / "two").path) == contents(stopped.path)
    config["engine"] = {"workers": 1}
    calls, sums_of = 0, ganstrata.core.rescoring.measure.sums_of

    def interrupt(*arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls % 110 == 0:
            raise KeyboardInterrupt
        return sums_of(*arguments)

    monkeypatch.setattr("ganstrata.core.rescoring.measure.sums_of", interrupt)
    stops = 0
    while True:
        try:
            run = ganstrata.run(config, tmp_path / "again")
            break
        except KeyboardInterrupt:
            stops += 1
    assert stops >= 2
    assert contents(run.path) == contents(stopped.path)


def test_a_piece_that_is_lost_is_made_again(fakes, stopped: Run, tmp_path: Path, contents) -> None:
    copied = Path(shutil.copytree(stopped.path, tmp_path / "copied"))
    for part in ("all", "resampled", "layers"):
        sorted((copied / "rescoring.zarr" / "done").glob(f"*-{part}.json"))[-1].unlink()
    ganstrata.run(adaptive(), copied)
    assert contents(copied) == contents(stopped.path)


@pytest.mark.parametrize(
    "change",
    [{"generator": {"use": "fake_flat"}}, {"rescoring": {"null": "permuted", "layers": ["2-3", "all"]}}],
)
def test_one_layer_permuted_nulls_and_sets_in_any_order(
    change: dict[str, Any], fakes, tmp_path: Path
) -> None:
    config = adaptive()
    flat = "generator" in change
    config["rescoring"] |= change.get("rescoring", {}) | ({"groups": None} if flat else {})
    config |= {"generator": change["generator"]} if flat else {}
    run = ganstrata.run(config, tmp_path / "run")
    effects = read_effects(run)
    assert {"seen/left", "seen/checks"} <= set(effects.factor_names)
    assert effects.used.shape == (6, 1 if flat else 2)
    others = np.arange(len(effects.sets)) != effects.all_set
    assert effects.null_used[0, effects.all_set] == min(64, effects.used[:, effects.all_set].max())
    assert (effects.null_used[0, others] == 16).all()
    assert not np.isnan(effects.mean[:, effects.all_set, 0, :4]).any()


def test_the_forecast_is_the_most_it_can_be(fakes) -> None:
    prepared = prepare(validate(adaptive(), "test"))
    text = forecast(prepared, 1)
    assert text.startswith("at most ")
    # A baseline for the decisions, one for what resamplings gave, and one for the other sets.
    assert (
        "128 x (3 + (7 boundaries + 12 random) x 13 layer sets + 7 backwards x 1) + 64 x 12 resamplings "
        "x 7 boundaries" in text
    )
    assert f"{128 * (3 + (7 + 12) * 13 + 7) + 64 * 12 * 7} for re-scoring" in text


@pytest.mark.parametrize("looks", [[0.5], [0.0, 1.0], [0.5, 0.25, 1.0], [0.5, 0.5, 1.0], [0.5, 1.5]])
def test_looks_must_rise_to_all_samples(looks: list[float], fakes, config) -> None:
    config["rescoring"]["looks"] = looks
    with pytest.raises(ConfigError, match="rescoring -> looks: must rise from above 0 to 1"):
        validate(config, "test")


def test_the_report_says_how_many_samples_were_used(stopped: Run, whole: Run) -> None:
    page, full = (
        json.dumps((run.path / "report.html").read_text(encoding="utf-8")) for run in (stopped, whole)
    )
    work = stopped.manifest["stages"]["report"]["work"]
    assert f"{100 * work['done'] / work['full']:.0f} %" in page
    assert "looks of 16, 32, 64 and 128" in page
    assert "looks of" not in full
