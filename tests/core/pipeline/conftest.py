"""Small runs that several files of tests look at."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_runs import Made, small_run


@pytest.fixture(scope="session")
def plain(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """All samples are moved. Tests must not write into it."""
    return small_run(site, tmp_path_factory.mktemp("plain") / "run", adaptive=False)


@pytest.fixture(scope="session")
def adaptive(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Samples are moved from look to look. Tests must not write into it."""
    return small_run(site, tmp_path_factory.mktemp("adaptive") / "run", adaptive=True)
