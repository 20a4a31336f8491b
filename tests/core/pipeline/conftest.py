"""Small runs that several test files share."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import ganstrata
import numpy as np
import pytest
from ganstrata.core.config.reading import validate
from ganstrata.core.probing.stage import open_samples
from ganstrata.core.runs.run import Run
from ganstrata.core.runs.stages import STAGES
from small_runs import Made, small_run


@pytest.fixture(scope="session")
def plain(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Return a run in which all samples are moved. Tests must not change it."""
    return small_run(site, tmp_path_factory.mktemp("plain") / "run", adaptive=False)


@pytest.fixture(scope="session")
def adaptive(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Return a run with interim analyses. Tests must not change it."""
    return small_run(site, tmp_path_factory.mktemp("adaptive") / "run", adaptive=True)


@pytest.fixture
def continued_as_fresh(
    fakes, compacted: Run, tmp_path: Path, worked: list[str], contents, capsys
) -> Callable[..., str]:
    """Return a function that compares a continued run with a fresh one, and returns the messages."""

    def same(
        config: dict[str, Any], change: Callable[[dict[str, Any]], object], *, again: tuple[str, ...] = STAGES
    ) -> str:
        if validate(config, "test") == compacted.config:
            shutil.copytree(compacted.path, tmp_path / "continued")
        ganstrata.run(config, tmp_path / "continued")
        changed = deepcopy(config)
        change(changed)
        worked.clear()
        capsys.readouterr()
        continued = ganstrata.run(changed, tmp_path / "continued", quiet=False)
        stderr = capsys.readouterr().err
        assert tuple(worked) == again
        fresh = ganstrata.run(changed, tmp_path / "fresh")
        there, here = (
            {
                name: content
                for name, content in contents(run.path).items()
                if not name.startswith("samples.zarr")
            }
            for run in (continued, fresh)
        )
        assert there.keys() == here.keys()
        assert [name for name in there if there[name] != here[name]] == []
        for alias in fresh.keys.scores:
            assert scores(continued, alias).tobytes() == scores(fresh, alias).tobytes()
        ours = (run.record.model_dump(exclude={"stages", "leftovers"}) for run in (continued, fresh))
        assert next(ours) == next(ours)
        worked.clear()
        ganstrata.run(changed, tmp_path / "continued")
        assert worked == [], "nothing changed any more"
        return stderr

    return same


def scores(run: Run, alias: str) -> np.ndarray:
    return open_samples(run).read(f"scores/{alias}")
