"""Runs whose arrays lie at a URL: the same numbers, found again, mended, and held by one process."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ganstrata
import numpy as np
import pytest
from conftest import _on_path
from ganstrata.core.config.reading import validate
from ganstrata.core.errors import ConfigError, RunError
from ganstrata.core.runs.lease import LEASE, OWNER
from ganstrata.core.storage.objects import Objects
from object_server import SECRET
from small_runs import Made, awkward, stage_by_stage

Again = Callable[[], Made]


def at(url: str) -> dict[str, Any]:
    config = awkward(adaptive=True)
    return config | {"store": url, "engine": {"workers": 1}}


@pytest.fixture
def away(site: Path, tmp_path: Path, url: str) -> Again:
    """Return a function that begins or continues the small run with its arrays at a URL."""

    def go_on() -> Made:
        with _on_path(site):
            return stage_by_stage(at(url), tmp_path / "run")

    go_on()
    return go_on


@pytest.mark.parametrize("url", ["memory", pytest.param("s3", marks=pytest.mark.full)], indirect=True)
def test_a_run_at_a_url_is_the_run_on_disk(away: Again, adaptive: Made, url: str, tmp_path: Path) -> None:
    run, path = ganstrata.open_run(tmp_path / "run"), tmp_path / "run"
    here = adaptive.run.path
    assert not list(path.glob("*.zarr"))
    for name in ("samples.zarr", "rescoring.zarr"):
        files = {
            file.relative_to(here / name).as_posix(): file.read_bytes()
            for file in (here / name).rglob("*")
            if file.is_file()
        }
        there = Objects(f"{url}/{name}")
        assert set(there.tags()) == files.keys()
        assert [n for n in files if not n.startswith("done/") and there.get(n) != files[n]] == []
    for name in ("rescoring.csv", "boundaries.json", "edits/edits.csv"):
        assert (path / name).read_bytes() == (here / name).read_bytes(), name
    assert run.samples.scores.tobytes() == ganstrata.open_run(here).samples.scores.tobytes()
    assert np.array_equal(run.effects.mean, ganstrata.open_run(here).effects.mean, equal_nan=True)
    text = (path / "run.json").read_text(encoding="utf-8")
    assert json.loads(text)["store"]["url"] == url
    assert SECRET not in text
    assert Objects(url).get(LEASE) is None, "let go at the end"

    # What is there is found, and what is damaged is mended.
    again = away()
    assert set(again.pictures.values()) == {0}
    arrays = Objects(f"{url}/rescoring.zarr")
    mark, chunk = (
        next(name for name in sorted(arrays.tags()) if "resampled" in name and "done" in name),
        "sums_all/c/0/0/0/0/0/0",
    )
    before = arrays.get(chunk)
    assert before
    arrays.remove([mark])
    arrays.put(chunk, before[:-1] + bytes([before[-1] ^ 4]))
    mended = away()
    assert mended.pictures["synthesize"] == 0 < mended.pictures["rescore"]
    assert arrays.get(chunk) == before
    assert arrays.get(mark)


@pytest.mark.parametrize("url", ["memory", pytest.param("s3", marks=pytest.mark.full)], indirect=True)
def test_a_run_keeps_its_place_and_its_place_keeps_its_run(
    away: Again, adaptive: Made, site: Path, tmp_path: Path, url: str, fakes
) -> None:
    run = tmp_path / "run"
    config = at(url)
    del config["store"]
    assert (
        ganstrata.core.runs.run.Run.open(run).arrays("samples.zarr").place.__str__() == f"{url}/samples.zarr"
    )
    with _on_path(site):
        assert set(stage_by_stage(config, run).pictures.values()) == {0}, "without a URL it is found again"
        with pytest.raises(RunError, match=rf"the arrays of this run lie at {url}, not at {url}-2"):
            stage_by_stage(at(f"{url}-2"), run)
        with pytest.raises(RunError, match=rf"{url} holds the arrays of another run \(.*run on .*\)"):
            stage_by_stage(at(url), tmp_path / "second")
        with pytest.raises(RunError, match=rf"the arrays of this run lie in it, not at {url}"):
            stage_by_stage(at(url), adaptive.run.path)
    assert not (tmp_path / "second").exists()
    assert Objects(url).get(OWNER)


@pytest.mark.parametrize(
    "store",
    [
        f"s3://tester:{SECRET}@bucket/runs",
        f"s3://{SECRET}@bucket/runs",
        f"az://container/runs?sig={SECRET}",
        f"abfs://c:{SECRET}@account.dfs.core.windows.net/runs",
        f"s3://bucket/runs#{SECRET}",
    ],
)
def test_credentials_in_a_url_are_refused_and_not_repeated(
    store: str, invoke, written, config, fakes, tmp_path: Path
) -> None:
    config["store"] = store
    for arguments in (
        ("config", "check", written(config)),
        ("run", written(config), "--out", tmp_path / "run"),
    ):
        result = invoke(*arguments)
        assert result.exit_code == 2
        assert "store: credentials must not stand in it" in result.stdout + result.stderr
        assert SECRET not in result.stdout + result.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("store", "wanted"),
    [
        ("bucket/runs", "must begin with s3://"),
        ("https://bucket/runs", "must begin with s3://"),
        ("s3:///runs", "has no bucket"),
        ("s3://bucket/../runs", "no object's name may have"),
        ("memory://here", "set engine.workers to 1"),
    ],
)
def test_urls_that_cannot_be_used_are_refused(store: str, wanted: str, fakes, config) -> None:
    with pytest.raises(ConfigError, match=wanted):
        validate(config | {"store": store, "engine": {"workers": 2}}, "test")


def test_memory_is_for_one_worker_of_this_process(fakes, config) -> None:
    config |= {"store": "memory://here", "engine": {"use": "ray", "workers": 1}}
    with pytest.raises(ConfigError, match=r"memory of this process; .*engine\.use to local"):
        validate(config, "test")
    assert validate(config | {"engine": {"workers": 1}}, "test").store == "memory://here"


def test_a_slash_at_the_end_is_the_same_place(fakes, config) -> None:
    assert validate(config | {"store": "s3://bucket/runs//a/"}, "test").store == "s3://bucket/runs/a"
