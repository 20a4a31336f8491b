"""The benchmark of methods without labels: every method of its table runs and is measured."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import ganstrata
import pytest
from ganstrata.core.plugins.registry import registry

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.fixture
def discovery(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    ours = {path.stem for path in BENCHMARKS.iterdir()}
    before = dict(sys.modules)
    yield importlib.import_module("discovery")
    for name in set(sys.modules) - set(before):
        if name.partition(".")[0] in ours:
            del sys.modules[name]


@pytest.mark.full
def test_every_method_of_the_table_finds_directions(
    discovery: ModuleType, rooms: ganstrata.Generator
) -> None:
    codes = discovery.codes_of(rooms, 100)
    for method in discovery.METHODS.values():
        samples = {"samples": 40} if "samples" in method.options else {}
        options = {**method.options, **samples, **method.little}
        cost = discovery.measured(discovery.Method(method.learner, options), rooms, codes)
        assert cost.seconds > 0.0
        assert cost.memory is None or cost.memory >= 0
    known = {info.name for info in registry().infos("boundary")}
    assert {method.learner for method in discovery.METHODS.values()} <= known


def test_incremental_components_agree_with_the_exact_ones(
    discovery: ModuleType, rooms: ganstrata.Generator
) -> None:
    cosines = discovery.accuracy(rooms, 100)  # one block, so that nothing is left out
    assert len(cosines) == 10
    assert min(cosines) > 0.999


def test_a_row_of_the_table(discovery: ModuleType) -> None:
    assert discovery.row("sefa", discovery.Cost(0.51234, 3 * 2**20)) == "| sefa | 0.512 | 3 |"
    assert discovery.named("pca;ica", ["ica", "pca"]) == ["pca", "ica"]
    with pytest.raises(SystemExit, match="'pcs' is not one of ica; pca"):
        discovery.named("pcs", ["ica", "pca"])
