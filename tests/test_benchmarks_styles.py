"""The benchmark of style channels finds what is planted in them."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import ganstrata
import numpy as np
import pytest
from ganstrata.core.probing.samples import scored_generator
from ganstrata.core.rescoring.results import concept_units

FOLDER = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.fixture
def styles(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(str(FOLDER))
    yield importlib.import_module("styles")
    sys.modules.pop("styles", None)


def test_directions_of_every_kind_move_the_planted_concepts(styles, fakes) -> None:
    generator = ganstrata.load_generator("fake_styled", device="cpu")
    scorers = {"seen": ganstrata.load_scorer("fake_readings", device="cpu")}
    samples = ganstrata.probe(generator, scorers, samples=640, batch=32)
    learner = ganstrata.load_learner("ridge", device="cpu", positives=160, negatives=160)
    columns = [samples.column("seen/left"), samples.column("seen/red")]
    found = styles.variants(generator, samples, learner, columns, ((2.0,), (2.0,)))
    assert [variant.name for variant in found] == ["w", "s", "sigma a", "a / sigma"]
    assert [variant.normals.shape[1] for variant in found] == [16] * 4
    plain, weighted, hyperplane = (variant.normals for variant in found[1:])
    # Least squares finds the same hyperplane in any coordinates; StyleSpace's units turn its direction.
    assert (plain * hyperplane).sum(axis=1) == pytest.approx(1.0, abs=1e-3)
    assert (weighted[:, [2, 14]].max(axis=1) > 0.9).all()
    scored = scored_generator(generator, scorers, seed=0, batch=32)
    units = concept_units(samples.statistics)
    for variant in found:
        (row,) = styles.measure(scored, variant, columns, units, 32)
        name, step, own, others, leak, change = (cell.strip() for cell in row.strip("|").split("|"))
        assert (name, step) == (variant.name, "2")
        assert float(own) > 0.5
        assert float(others) < 0.3 * float(own)
        assert np.isfinite([float(leak), float(change)]).all()
