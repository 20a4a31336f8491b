"""A run that goes on with something changed is the run that had it from the start."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import ganstrata
import pytest

Config = dict[str, Any]


@pytest.fixture
def small(config: Config) -> Config:
    """Two scorers without a boundary beside one that has two, few layer sets and few samples."""
    config["scorers"] += [{"use": "hue", "as": "colour"}, {"use": "fake_regions", "as": "parts"}]
    config["concepts"] = {"include": ["seen/left", "seen/red"]}
    config["synthesis"]["samples"] = 256
    config["rescoring"] |= {"layers": ["all", "top"], "samples": 32, "null_directions": 3, "bootstrap": 100}
    return config


def soft(config: Config) -> None:
    config["scorers"][1]["with"] = {"soft": True}


def reordered(config: Config) -> None:
    config["scorers"] = [config["scorers"][i] for i in (0, 2, 1)]


def removed(config: Config) -> None:
    del config["scorers"][1]


def added(config: Config) -> None:
    config["scorers"].insert(1, {"use": "fake_constant"})


def swapped(config: Config) -> None:
    config["scorers"][1]["as"], config["scorers"][2]["as"] = "parts", "colour"


@pytest.mark.parametrize("change", [soft, reordered, removed, added, swapped])
def test_scorers_that_changed_are_heard_again(change: Callable[[Config], None], fakes, small: Config, tmp_path: Path) -> None:
    ganstrata.run(small, tmp_path / "continued")
    change(small)
    continued, fresh = ganstrata.run(small, tmp_path / "continued"), ganstrata.run(small, tmp_path / "fresh")
    for name in ("boundaries.json", "boundaries.safetensors", "rescoring.csv", "edits/edits.csv"):
        assert (continued.path / name).read_bytes() == (fresh.path / name).read_bytes(), name
