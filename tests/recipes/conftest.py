"""The recipes are not in the wheel: their tests read them from the checkout that holds the tests."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

# `recipes` alone, and not the root on the path: there `core` and `cli` would be importable beside the installed package.
recipes = ModuleType("recipes")
recipes.__path__ = [str(Path(__file__).parents[2] / "recipes")]
sys.modules["recipes"] = recipes


@pytest.fixture(scope="session")
def renders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with 130 rendered rooms as `render` writes it, seed 7."""
    from recipes.rooms.render import render_set

    folder = tmp_path_factory.mktemp("renders") / "held_out"
    render_set(folder, 130, 7, 64, workers=1)
    return folder


@pytest.fixture(scope="session")
def pictures(renders: Path) -> np.ndarray:
    """The pictures of `renders`, (130, 64, 64, 3)."""
    return np.load(renders / "images.npy")
