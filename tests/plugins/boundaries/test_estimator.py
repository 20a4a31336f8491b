"""Check estimators by dotted path: what they fit, what is read from them, and what is refused."""

from __future__ import annotations

import warnings

import ganstrata
import numpy as np
import pytest
from ganstrata.core.boundaries.selection import Extremes, select_extremes
from ganstrata.core.errors import ConfigError, DataError
from ganstrata.core.plugins.records import Concept
from ganstrata.core.storage import rows as tables
from lazy_tables import of_array
from sklearn.linear_model import LogisticRegression, Ridge, SGDRegressor

D = 6
CONCEPTS = [Concept("a/x", "colour"), Concept("a/y", "colour")]


def world(n=500):
    rng = np.random.default_rng(0)
    w = (rng.standard_normal((n, D)) + 1.0).astype(np.float32)
    return w, (w[:, :2] + 0.3 * rng.standard_normal((n, 2))).astype(np.float32)


def learner(estimator, arguments=None, **config):
    settings = {"positives": 100, "negatives": 100, **config}
    return ganstrata.load_learner(
        "sklearn", device="cpu", estimator=estimator, arguments=arguments or {}, **settings
    )


def test_a_classifier_is_given_the_extremes():
    w, scores = world()
    boundaries = learner("sklearn.linear_model:LogisticRegression", {"C": 0.1}).learn(
        w, scores, CONCEPTS, seed=3
    )
    for j, boundary in enumerate(boundaries):
        chosen = select_extremes(
            scores[:, j], Extremes(positives=100, negatives=100), concept=CONCEPTS[j].name, seed=3
        )
        plain = LogisticRegression(C=0.1).fit(w[chosen.train], chosen.train_labels)
        length = np.linalg.norm(plain.coef_)
        np.testing.assert_allclose(boundary.normal, plain.coef_[0] / length, atol=1e-3)
        assert float(boundary.offset) == pytest.approx(plain.intercept_[0] / length, abs=5e-3)


def test_a_regressor_on_the_scores_is_the_learner_ridge():
    w, scores = world()
    scores[::5, 1] = np.nan
    ours = ganstrata.load_learner("ridge", device="cpu", positives=100, negatives=100, alpha=3.0).learn(
        w, scores, CONCEPTS
    )
    boundaries = learner("sklearn.linear_model:Ridge", {"alpha": 3.0}, target="scores").learn(
        w, scores, CONCEPTS
    )
    for a, b in zip(boundaries, ours, strict=True):
        np.testing.assert_allclose(a.normal, b.normal, atol=1e-6)
        np.testing.assert_allclose(a.offset, b.offset, atol=1e-5)
        assert a.facts == {**b.facts, "converged": True}


def test_no_more_samples_are_fitted_than_the_config_says():
    w, scores = world()
    most = learner("sklearn.linear_model:Ridge", target="scores", samples=120)
    boundary = most.learn(w, scores[:, :1], CONCEPTS[:1], seed=3)[0]
    rows = np.random.default_rng(3).permutation(500)[:120]
    plain = Ridge().fit(w[rows], scores[rows, 0])
    length = np.linalg.norm(plain.coef_)
    np.testing.assert_allclose(boundary.normal, plain.coef_ / length, atol=1e-5)
    middle = (plain.intercept_ - scores[rows, 0].mean()) / length
    assert float(boundary.offset) == pytest.approx(middle, abs=1e-4)
    assert (boundary.facts["samples"], boundary.facts["samples_of"]) == (120, 500)
    for all_of_them in (0, 350):
        whole = learner("sklearn.linear_model:Ridge", target="scores", samples=all_of_them)
        facts = whole.learn(w, scores, CONCEPTS)[0].facts
        assert facts["samples"] == 350
        assert "samples_of" not in facts


@pytest.mark.parametrize("classes", [None, np.arange(500) % 3])
def test_partial_fit_goes_over_all_samples_in_blocks(classes, monkeypatch):
    monkeypatch.setattr(tables, "MOST", 64)
    w, scores = world()
    given = {} if classes is None else {"classes": classes}
    chosen = learner("sklearn.linear_model:SGDRegressor", target="scores", passes=4, samples=10)
    boundaries = chosen.learn(of_array(w), of_array(scores), CONCEPTS, seed=3, **given)
    exact = learner("sklearn.linear_model:Ridge", {"alpha": 1e-6}, target="scores").learn(
        w, scores, CONCEPTS, seed=3, **given
    )
    for boundary, best in zip(boundaries, exact, strict=True):
        assert boundary.normal @ best.normal > 0.999
        assert (boundary.facts["samples"], boundary.facts["iterations"]) == (350, 4)
        assert not {"samples_of", "converged"} & set(boundary.facts)
    if classes is None:
        fitted = np.zeros(500, dtype=bool)
        fitted[np.random.default_rng(3).permutation(500)[:350]] = True
        plain, mean = SGDRegressor(random_state=3), w[fitted].astype(np.float64).mean(axis=0)
        for _ in range(4):
            for start in range(0, 500, 64):
                rows = start + np.flatnonzero(fitted[start : start + 64])
                plain.partial_fit(w[rows].astype(np.float64) - mean, scores[rows, 1].astype(np.float64))
        np.testing.assert_allclose(boundaries[1].normal, plain.coef_ / np.linalg.norm(plain.coef_), atol=1e-6)


def test_a_regressor_on_labels_has_its_hyperplane_midway_between_them():
    w, scores = world()
    boundary = learner("sklearn.linear_model:Ridge").learn(w, scores[:, :1], CONCEPTS[:1])[0]
    chosen = select_extremes(scores[:, 0], Extremes(positives=100, negatives=100), concept="a/x", seed=0)
    plain = Ridge().fit(w[chosen.train], 2.0 * chosen.train_labels - 1.0)
    np.testing.assert_allclose(
        w @ boundary.normal + boundary.offset, plain.predict(w) / np.linalg.norm(plain.coef_), atol=1e-4
    )


SEEDED = """
import warnings
import numpy as np

class Seeded:
    def __init__(self, random_state=None, complain=""):
        self.random_state, self.complain = random_state, complain

    def fit(self, x, y):
        if self.complain:
            warnings.warn(self.complain, UserWarning, stacklevel=2)
        self.coef_ = np.eye(x.shape[1])[self.random_state]
        self.intercept_ = 0.0

class Faulty:
    coefficients, level = 3, 0.0

    def fit(self, x, y):
        if len(x) > 100:
            raise ArithmeticError("too hard")
        self.coef_, self.intercept_ = np.ones(x.shape[1]), 0.0

class Wide(Faulty):
    def fit(self, x, y):
        self.coef_, self.intercept_ = np.ones((2, x.shape[1])), np.zeros(2)

class Bare:
    def fit(self, x, y):
        self.coef_ = np.ones(x.shape[1])

class Unfit:
    pass

def function(x):
    return x
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A file of somebody's, and that it is the current folder's."""
    (tmp_path / "own.py").write_text(SEEDED)
    monkeypatch.chdir(tmp_path)
    return "own.py"


def test_the_seed_is_the_runs_unless_it_is_given(own):
    w, scores = world()
    for arguments, axis in (({}, 4), ({"random_state": 1}, 1)):
        boundary = learner(f"{own}:Seeded", arguments).learn(w, scores[:, :1], CONCEPTS[:1], seed=4)[0]
        assert boundary.normal.tolist() == np.eye(D)[axis].tolist()
        assert float(boundary.offset) == pytest.approx(-1.0, abs=0.2)  # codes are centred for the fit
    one, two, other = (
        learner("sklearn.linear_model:SGDClassifier").learn(w, scores, CONCEPTS, seed=s)[0].normal.tobytes()
        for s in (1, 1, 2)
    )
    assert one == two != other


def test_an_estimator_that_stops_early_is_recorded_and_other_warnings_pass(own):
    w, scores = world()
    for target in ("labels", "scores"):
        chosen = learner("sklearn.linear_model:SGDRegressor", {"max_iter": 2, "tol": 1e-9}, target=target)
        assert chosen.learn(w, scores, CONCEPTS)[0].facts["converged"] is False
        chosen = learner("sklearn.linear_model:SGDRegressor", target=target)
        assert chosen.learn(w, scores, CONCEPTS)[0].facts["converged"] is True
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        chosen = learner(f"{own}:Seeded", {"complain": "what codes", "random_state": 0})
        boundary = chosen.learn(w, scores[:, :1], CONCEPTS[:1])[0]
    assert {str(warning.message) for warning in caught} == {"what codes"}
    assert boundary.facts["converged"] is True


@pytest.mark.parametrize(
    ("options", "place", "message"),
    [
        ({"estimator": "sklearn.linear_model"}, "estimator", "must have the form"),
        (
            {"estimator": "sklearn.linear_model:LogisticRegresion"},
            "estimator",
            "Did you mean 'LogisticRegression'?",
        ),
        ({"estimator": "sklern.linear_model:Ridge"}, "estimator", "there is no module 'sklern' to import"),
        ({"estimator": "nowhere.py:Ridge"}, "estimator", "no file nowhere.py"),
        (
            {"estimator": "own.py:function"},
            "estimator",
            r"own.py:function is not a class with a method fit\(X, y\)",
        ),
        ({"estimator": "own.py:Unfit"}, "estimator", "is not a class with a method fit"),
        (
            {"estimator": "sklearn.linear_model:Ridge", "arguments": {"alphas": 1.0}},
            "arguments",
            "Did you mean 'alpha'?",
        ),
        (
            {"estimator": "sklearn.linear_model:Ridge", "arguments": {"alpha": -1.0}},
            "estimator",
            "does not pass a trial: .*'alpha' parameter",
        ),
        ({"estimator": "sklearn.svm:SVC"}, "estimator", "has no coef_ after fit"),
        ({"estimator": "sklearn.neighbors:KNeighborsClassifier"}, "estimator", "has no coef_ after fit"),
        ({"estimator": "own.py:Bare"}, "estimator", "has no intercept_ after fit"),
        (
            {"estimator": "own.py:Wide"},
            "estimator",
            r"coef_ of shape \(2, 8\) and intercept_ of shape \(2,\) for codes of length 8",
        ),
        (
            {"estimator": "sklearn.linear_model:LogisticRegression", "target": "scores"},
            "estimator",
            "does not pass a trial",
        ),
        ({"estimator": "sklearn.linear_model:Ridge", "target": "all"}, "target", "labels"),
        (
            {"estimator": "sklearn.linear_model:Ridge", "target": "scores", "passes": 2},
            "passes",
            r"sklearn.linear_model:Ridge has no partial_fit\(X, y\); leave `passes` out, and set `samples`",
        ),
        (
            {"estimator": "sklearn.linear_model:SGDRegressor", "passes": 2},
            "with",
            "the extremes fit into memory: leave out `passes`, or set `target: scores`",
        ),
        ({}, "estimator", "is missing"),
    ],
)
def test_unusable_estimators_are_refused_before_the_run(own, options, place, message):
    with pytest.raises(ConfigError, match=message) as caught:
        ganstrata.load_learner("sklearn", device="cpu", **options)
    assert place in str(caught.value)


def test_a_failing_estimator_is_reported_with_its_line(own):
    w, scores = world()
    with pytest.raises(
        DataError,
        match=r"own.py:Faulty failed on 140 codes of length 6: ArithmeticError: too hard \(.*own.py:",
    ):
        learner(f"{own}:Faulty").learn(w, scores, CONCEPTS)
