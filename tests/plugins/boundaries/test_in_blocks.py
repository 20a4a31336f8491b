"""Learners that read blocks: the same results as from arrays, and memory that does not grow with samples."""

from __future__ import annotations

from typing import Any

import ganstrata
import numpy as np
import pytest
from ganstrata.core.plugins.records import Concept
from ganstrata.core.probing.concept_stats import spread_of
from ganstrata.core.probing.order_statistics import quantiles
from ganstrata.core.storage import rows as tables
from ganstrata.core.storage.rows import Rows, blocks
from lazy_tables import Lazy, of_array, peak_of

N, D, C = 600, 6, 3
CONCEPTS = [Concept(f"c/{j}", "attribute", may_be_undefined=True) for j in range(C)]
EXTREMES = {"positives": 60, "negatives": 50}
LEARNERS: list[tuple[str, dict[str, Any]]] = [
    ("soft_conditional", {}),
    ("ridge", EXTREMES),
    ("lda", EXTREMES),
    ("mean_difference", EXTREMES),
    ("linear_svm", EXTREMES),
    ("logistic", EXTREMES),
    ("sklearn", {"estimator": "sklearn.linear_model:Ridge", "target": "scores", **EXTREMES}),
    (
        "sklearn",
        {"estimator": "sklearn.linear_model:Ridge", "target": "scores", "samples": 300, **EXTREMES},
    ),
]


def samples(layers: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(layers)
    codes = rng.standard_normal((N, *([layers] if layers else []), D)).astype(np.float32) + 2.0
    scores = (codes.reshape(N, -1)[:, :C] + 0.5 * rng.standard_normal((N, C))).astype(np.float32)
    scores[rng.random(N) < 0.2, 1] = np.nan
    return codes, scores, rng.integers(3, size=N)


@pytest.mark.parametrize("case", ["plain", "classes", "layers"])
@pytest.mark.parametrize(("name", "options"), LEARNERS)
def test_blocks_give_the_boundaries_of_arrays(
    name: str, options: dict[str, Any], case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes, scores, classes = samples(2 if case == "layers" else 0)
    more = {"per_layer": True} if case == "layers" else {}
    learner = ganstrata.load_learner(name, device="cpu", **options, **more)
    drawn = {"classes": classes} if case == "classes" else {}
    whole = learner.learn(codes, scores, CONCEPTS, seed=1, **drawn)
    monkeypatch.setattr(tables, "MOST", 64)
    monkeypatch.setattr("ganstrata.plugins.boundaries.extremes.MEMORY", 1)
    monkeypatch.setattr("ganstrata.plugins.boundaries.regression.MEMORY", 1)
    monkeypatch.setattr("ganstrata.core.boundaries.cuts.MEMORY", 1)
    assert learner.in_blocks
    apart = learner.learn(of_array(codes), of_array(scores), CONCEPTS, seed=1, **drawn)
    plain = learner.learn(of_array(codes), of_array(scores), CONCEPTS, seed=1, measured=False, **drawn)
    for one, other, short in zip(whole, apart, plain, strict=True):
        np.testing.assert_allclose(other.normal, one.normal, atol=1e-5)
        np.testing.assert_allclose(other.offset, one.offset, atol=1e-5)
        facts = [f.items() for f in one.facts.get("layers", [one.facts])]
        again = [f.items() for f in other.facts.get("layers", [other.facts])]
        assert [dict(f) | {"iterations": 0} for f in again] == [dict(f) | {"iterations": 0} for f in facts]
        np.testing.assert_array_equal(short.normal, other.normal)
        assert "rest_accuracy" not in short.facts.get("layers", [short.facts])[0]


def test_codes_that_are_not_finite_are_refused_in_any_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "MOST", 64)
    codes, scores, _ = samples()
    codes[-1, 0] = np.inf
    for name, options in LEARNERS[:3]:
        learner = ganstrata.load_learner(name, device="cpu", **options)
        with pytest.raises(ganstrata.DataError, match="NaN or infinity"):
            learner.learn(of_array(codes), of_array(scores), CONCEPTS)


def drawn_tables(n: int) -> tuple[Rows, Rows]:
    """Codes (n, 64) and scores (n, 8) that take 288 bytes per sample if they are held."""

    def codes(start: int, stop: int) -> np.ndarray:
        return np.random.default_rng(start).standard_normal((stop - start, 64)).astype(np.float32)

    def scores(start: int, stop: int) -> np.ndarray:
        return codes(start, stop)[:, :8] + np.float32(0.5)

    return Lazy((n, 64), codes), Lazy((n, 8), scores)


SGD = {"estimator": "sklearn.linear_model:SGDRegressor", "target": "scores"}
LIMITED: dict[str, dict[str, Any]] = {"passes": {**SGD, "passes": 1}, "limit": {**SGD, "samples": 200}}


@pytest.mark.parametrize(
    "name", ["summary", "soft_conditional", "linear_svm", "mean_difference", "ridge", *LIMITED]
)
def test_memory_does_not_grow_with_samples(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each further sample no more is kept than a few whole numbers, for all concepts together."""
    monkeypatch.setattr(tables, "MOST", 128)
    concepts = [Concept(f"c/{j}", "attribute") for j in range(8)]

    def work(n: int) -> None:
        codes, scores = drawn_tables(n)
        if name == "summary":
            spread_of(codes)
            quantiles(lambda: ((block, None) for _, (block,) in blocks(scores)), 8, (0.05, 0.5))
            return
        options = {} if name == "soft_conditional" else {"positives": 30, "negatives": 30}
        options |= LIMITED.get(name, {})
        used = "sklearn" if name in LIMITED else name
        ganstrata.load_learner(used, device="cpu", **options).learn(codes, scores, concepts)

    work(512)  # what is imported or made once does not count
    few, twice, eight = (peak_of(lambda n=n: work(n)) for n in (1024, 2048, 8192))
    assert twice < few + 40 * 1024
    assert eight < few + 40 * 7168  # the arrays would take 288 bytes per sample, and more while they are used
