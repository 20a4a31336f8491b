"""Scores are kept by scorer: one that is added or changed scores the stored seeds again, the others stay."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import ganstrata
import numpy as np
import pytest
from conftest import CONFIG, _compacted, _on_path
from ganstrata.core.probing.stage import open_samples
from ganstrata.core.runs.run import Run
from ganstrata.core.storage.shards import Shards


def _alone() -> dict[str, Any]:
    config = _compacted(deepcopy(CONFIG))
    del config["scorers"][1:]
    return config


@pytest.fixture
def config() -> dict[str, Any]:
    """Return the config of a small run with one scorer; tests may change it."""
    return _alone()


@pytest.fixture(scope="module")
def finished(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return the complete run with one scorer. Tests must not change it; `copied` is for that."""
    with _on_path(site):
        return ganstrata.run(_alone(), tmp_path_factory.mktemp("alone") / "run")


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the arrays among the samples that are written to."""
    names: list[str] = []
    write = Shards.write

    def listening(self: Shards, piece: str, arrays: Any) -> None:
        if str(self.place).endswith("samples.zarr"):
            names.extend(arrays)
        write(self, piece, arrays)

    monkeypatch.setattr(Shards, "write", listening)
    return names


def scores_of(run: Run, alias: str) -> np.ndarray:
    return open_samples(run).read(f"scores/{alias}")


def test_a_scorer_is_added(
    fakes, copied: Path, config, written, finished: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    more = deepcopy(config)
    more["scorers"].append({"use": "hue", "as": "colour"})
    run = ganstrata.run(more, copied, quiet=False)
    assert set(written) == {"scores/colour"}
    assert scores_of(run, "colour").shape == (96, 14)
    np.testing.assert_array_equal(scores_of(run, "seen"), scores_of(finished, "seen"))
    stderr = capsys.readouterr().err
    assert "scorer 'colour' is new. Done again: synthesize, learn, rescore, edit, report" in stderr
    assert "the samples and the scores of all other scorers stay" in stderr
    assert any(concept["id"].startswith("colour/") for concept in run.manifest["concepts"])
    assert run.is_done("report")


def test_the_scores_are_those_of_a_run_that_had_the_scorer_from_the_start(
    fakes, copied: Path, config, tmp_path: Path, contents
) -> None:
    config["scorers"].append({"use": "hue", "as": "colour"})
    added = ganstrata.run(config, copied)
    whole = ganstrata.run(config, tmp_path / "whole")
    assert contents(added.path) == contents(whole.path)


def test_a_changed_config_concerns_its_own_scorer_alone(fakes, copied: Path, config, written) -> None:
    config["scorers"].append({"use": "hue", "as": "colour"})
    before = scores_of(ganstrata.run(config, copied), "colour")
    written.clear()
    config["scorers"][-1]["with"] = {"soft": True}
    run = ganstrata.run(config, copied)
    assert set(written) == {"scores/colour"}
    assert np.abs(scores_of(run, "colour") - before).max() > 0.0


def test_a_scorer_that_is_removed_and_restored_does_not_score_again(
    fakes, copied: Path, config, written, finished: Run
) -> None:
    fewer, more = deepcopy(config), deepcopy(config)
    more["scorers"].append({"use": "hue", "as": "colour"})
    ganstrata.run(more, copied)
    written.clear()
    ganstrata.run(fewer, copied)
    ganstrata.run(more, copied)
    assert written == []


def test_the_same_alias_for_another_scorer(fakes, copied: Path, config, written) -> None:
    config["scorers"].append({"use": "hue", "as": "colour"})
    ganstrata.run(config, copied)
    written.clear()
    config["scorers"][-1] = {"use": "fake_readings", "as": "colour"}
    run = ganstrata.run(config, copied)
    assert set(written) == {"scores/colour"}
    assert scores_of(run, "colour").shape == (96, 7)
