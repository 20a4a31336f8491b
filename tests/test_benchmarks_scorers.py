"""The benchmark of scorers counts what it says it counts."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import ganstrata
import pytest
import torch
from ganstrata.plugins.scorers.networks.resnet import ResNetShape
from torch import nn

FOLDER = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """benchmarks/scorers.py, forgotten after the test."""
    monkeypatch.syspath_prepend(str(FOLDER))
    before = set(sys.modules)
    yield importlib.import_module("scorers")
    for name in {path.stem for path in FOLDER.iterdir()} & (set(sys.modules) - before):
        del sys.modules[name]


@pytest.fixture
def places(benchmark, tmp_path, monkeypatch):
    """Category and attribute on one narrow Places365 checkpoint, as the benchmark makes them."""
    models = benchmark.scorer_models
    monkeypatch.setitem(
        models.PLACES, "wideresnet18", (ResNetShape(4, (4, 4, 8, 8), (1, 1, 1, 1), False, 365), False)
    )
    path, weights = models.places("wideresnet18", tmp_path)
    made = {
        "category": {"checkpoint": str(path)},
        "attribute": {"checkpoint": str(path), "weights": str(weights)},
    }
    return {name: ganstrata.load_scorer(name, device="cpu", **config) for name, config in made.items()}


def test_category_and_attribute_go_through_a_published_network_once(benchmark, places):
    images = torch.rand(2, 3, 48, 48, generator=torch.Generator().manual_seed(0))
    assert benchmark.passes(places, images, "category", "attribute") == 1
    assert benchmark.passes(places, images, "attribute", "category") == 1


def test_bundled_scorers_of_one_network_go_through_it_once(benchmark):
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    scorers = {
        name: ganstrata.load_scorer(name, device="cpu", checkpoint="bundled:rooms")
        for name in ("category", "attribute", "segmentation", "layout")
    }
    assert benchmark.passes(scorers, images, "category", "attribute") == 1
    assert benchmark.passes(scorers, images, "layout", "segmentation") == 1
    # Two networks are two passes, so the count is not blind.
    assert benchmark.passes(scorers, images, "category", "segmentation") == 2


def test_passes_are_counted_each_time(benchmark, places):
    images = torch.rand(2, 3, 48, 48, generator=torch.Generator().manual_seed(0))
    category = places["category"]

    class Twice(ganstrata.Scorer):
        """Scores two renderings of the same pictures, which share nothing."""

        concepts = category.concepts

        def __init__(self) -> None:
            self.model = category.model

        def score(self, rendering: ganstrata.Rendering) -> torch.Tensor:
            category.score(ganstrata.Rendering(rendering.images))
            return category.score(rendering)

    assert benchmark.passes({"category": Twice()}, images, "category") == 2


def test_networks_are_located_at_any_depth(benchmark):
    class Deep:
        def __init__(self, inner: object) -> None:
            self.inner = inner

    network = nn.Conv2d(1, 1, 1)
    assert benchmark.networks(Deep(Deep(network))) == [network]
    assert benchmark.networks(Deep("no network")) == []


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems do not tell the peak")
def test_the_peak_of_memory_is_that_of_the_case():
    # In a process of its own: one in which others have kept freed memory takes no more from the system.
    code = "import scorers, torch; print(scorers.peak(lambda: torch.ones(64, 2**20).sum()) / 2**20)"
    environment = {**os.environ, "PYTHONPATH": str(FOLDER)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert 250 < float(done.stdout) < 270
