"""The recipes are not in the wheel: their tests read them from the checkout that holds the tests."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

# `recipes` alone, and not the root on the path: there `core` and `cli` would be importable
# beside the installed package.
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


@pytest.fixture(scope="session")
def run() -> Callable[..., None]:
    """Runs `main` of a module of the recipes with these words on its command line."""

    def called(module: ModuleType, *words: object) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", [module.__name__, *(str(word) for word in words)])
            module.main()

    return called
