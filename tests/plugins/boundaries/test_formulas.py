"""Check logistic, mean_difference and lda against a direct minimum or closed form."""

from __future__ import annotations

import ganstrata
import numpy as np
import pytest
from ganstrata.core.boundaries.selection import Extremes, select_extremes
from ganstrata.core.plugins.records import Concept
from scipy import optimize
from sklearn.covariance import ledoit_wolf

D = 6
CONCEPT = Concept("a/x", "colour")


def case(*, noise=0.8, shift=2.0):
    """Codes (N, D), a score (N, 1), and the codes and labels (1 or -1) of the training part."""
    rng = np.random.default_rng(0)
    mixing = rng.standard_normal((D, D))
    w = (rng.standard_normal((400, D)) @ mixing + shift).astype(np.float32)
    scores = (w[:, 0] + noise * rng.standard_normal(400)).astype(np.float32)[:, None]
    chosen = select_extremes(scores[:, 0], Extremes(positives=100, negatives=80), concept="a/x", seed=4)
    return w, scores, w[chosen.train].astype(np.float64), 2.0 * chosen.train_labels - 1.0


def learnt(name, **config):
    w, scores, x, y = case()
    (boundary,) = ganstrata.load_learner(name, device="cpu", positives=100, negatives=80, **config).learn(
        w, scores, [CONCEPT], seed=4
    )
    return boundary, x, y


@pytest.mark.parametrize("C", [1e-3, 1.0])
def test_logistic_minimises_its_cost(C):
    boundary, x, y = learnt("logistic", C=C)

    def cost(v):
        return 0.5 * v[:-1] @ v[:-1] + C * np.logaddexp(0.0, -y * (x @ v[:-1] + v[-1])).sum()

    best = optimize.minimize(cost, np.zeros(D + 1), method="BFGS", options={"gtol": 1e-6}).x
    length = np.linalg.norm(best[:-1])
    np.testing.assert_allclose(boundary.normal, best[:-1] / length, atol=2e-3)
    assert float(boundary.offset) == pytest.approx(best[-1] / length, abs=1e-2)
    assert boundary.facts["converged"] is True
    stopped, _, _ = learnt("logistic", C=C, max_iterations=1)
    assert (stopped.facts["converged"], stopped.facts["iterations"]) == (False, 1)


def test_mean_difference_points_from_the_low_to_the_high_mean():
    boundary, x, y = learnt("mean_difference")
    high, low = x[y > 0].mean(axis=0), x[y < 0].mean(axis=0)
    np.testing.assert_allclose(boundary.normal, (high - low) / np.linalg.norm(high - low), atol=1e-6)
    to_high, to_low = (float(point @ boundary.normal + boundary.offset) for point in (high, low))
    assert to_high == pytest.approx(-to_low, abs=1e-5)
    assert to_high > 0.0


def test_lda_shrinks_the_covariance_within_classes():
    """Shrink the covariance of each class as Ledoit and Wolf do, after scaling to unit variances."""
    boundary, x, y = learnt("lda")
    parts = [x[y < 0], x[y > 0]]
    shares = [len(part) / len(x) for part in parts]
    covariance = 0.0
    for part, share in zip(parts, shares, strict=True):
        scale = part.std(axis=0)
        covariance = (
            covariance + share * scale[:, None] * ledoit_wolf((part - part.mean(axis=0)) / scale)[0] * scale
        )
    low, high = (part.mean(axis=0) for part in parts)
    slope = np.linalg.solve(covariance, high - low)
    level = -slope @ (high + low) / 2.0 + np.log(shares[1] / shares[0])
    np.testing.assert_allclose(boundary.normal, slope / np.linalg.norm(slope), atol=1e-5)
    assert float(boundary.offset) == pytest.approx(level / np.linalg.norm(slope), abs=1e-4)
