"""Fixtures of leaderboards."""

from __future__ import annotations

from typing import Any

import board_learners
import pytest
from ganstrata.core.config.reading import validate
from ganstrata.core.leaderboard import comparison, of_projections
from ganstrata.core.leaderboard.computing import board_of
from ganstrata.core.leaderboard.measuring import measure
from ganstrata.core.leaderboard.request import BoardRequest
from ganstrata.core.storage.kept_results import Store


@pytest.fixture
def learners(planted, register, monkeypatch):
    """The learners of tests/board_learners.py, by the name of their class."""
    monkeypatch.setattr(of_projections, "FITS", 20)
    for plugin in board_learners.LEARNERS:
        register("boundary", plugin.__name__.lower(), plugin)
    return planted


@pytest.fixture
def compare(learners, tmp_path):
    """compare(learners, ...) on planted factors."""

    def run(*names: str, mixing: float = 0.0, **options: Any) -> Any:
        request = {key: options.pop(key) for key in ("judges", "steps", "baseline") if key in options}
        data = learners.config(judges=options.pop("scorers", [{}]), **options)
        data["synthesis"]["mixing"] = mixing
        data["rescoring"]["bootstrap"] = 100
        data["concepts"] = {"include": ["a/*"]}
        config = validate(data, "test")
        return board_of(measure(config, BoardRequest(names, fresh=200, **request), Store(tmp_path / "store")))

    return run


@pytest.fixture
def counted(monkeypatch):
    """Names of what was computed, not read."""
    done: list[str] = []
    for module, name in ((comparison, "draw"), (comparison, "learned"), (comparison, "moved")):
        original = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *a, _o=original, _n=name: (done.append(_n), _o(*a))[1])
    return done
