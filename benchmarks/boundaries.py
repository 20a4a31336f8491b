"""Compare learners with loops over scikit-learn, on the same extremes of the same codes.

Scores are linear in w, with noise of several strengths (in standard deviations of the noiseless score):
0 gives separable classes, 0.5 and 3 give classes that overlap. Tables:

- linear_svm against loops over LinearSVC, with defaults (tol=1e-4) and solved nearly as well as
  `batched` solves (tol=1e-6), and against SVC(kernel="linear"), the paper's call. The last two are
  slow, and timed on few concepts. Ratios are to LinearSVC with defaults, on the same concepts.
- every learner: time, and the cosine between the normals found and the true ones.

The loops sort, cut and fit; the learners also split, centre and measure accuracy.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import ganstrata
import numpy as np
import torch
from measure import alternate, arguments, machine, table
from sklearn.svm import SVC, LinearSVC

LEARNERS = {
    "linear_svm": ("linear_svm", {}),
    "linear_svm, solver: sklearn": ("linear_svm", {"solver": "sklearn"}),
    "linear_svm, loss: hinge": ("linear_svm", {"loss": "hinge"}),
    "linear_svm, C: 0.001": ("linear_svm", {"C": 0.001}),
    "logistic": ("logistic", {}),
    "logistic, C: 0.01": ("logistic", {"C": 0.01}),
    "lda": ("lda", {}),
    "mean_difference": ("mean_difference", {}),
    "ridge": ("ridge", {}),
    "sklearn, SGDClassifier": ("sklearn", {"estimator": "sklearn.linear_model:SGDClassifier"}),
}


@dataclass
class World:
    """Hold codes and scores whose true directions are known."""

    w: np.ndarray  # (N, D) float32
    scores: np.ndarray  # (N, C) float32
    true: np.ndarray  # (C, D) unit
    extremes: int

    def learner(
        self, name: str, device: str = "cpu", **config: object
    ) -> Callable[[int], ganstrata.Boundaries]:
        """Return a function that learns the first concepts, as many as it is told."""
        built = ganstrata.load_learner(
            name, device=device, positives=self.extremes, negatives=self.extremes, **config
        )
        concepts = [ganstrata.Concept(f"made/{j}", "attribute") for j in range(len(self.true))]
        return lambda count: built.learn(self.w, self.scores[:, :count], concepts[:count])

    def loop(self, estimator: Callable[[], object], count: int) -> list[np.ndarray]:
        """Sort, cut and fit with plain scikit-learn, as many extremes as the learners fit."""
        directions, share = [], int(0.7 * self.extremes)
        for j in range(count):
            order = np.argsort(-self.scores[:, j])
            rows = np.r_[order[:share], order[-share:]]
            x, labels = self.w[rows].astype(np.float64), np.repeat([1, 0], share)
            fitted = estimator().fit(x, labels)  # type: ignore[attr-defined]
            directions.append(fitted.coef_[0])
        return directions

    def cosine(self, normals: list[np.ndarray]) -> float:
        """Return the mean cosine, over concepts, of found and true directions."""
        return float(np.mean([n @ t / np.linalg.norm(n) for n, t in zip(normals, self.true, strict=False)]))


def world(n: int, d: int, c: int, extremes: int, noise: float) -> World:
    rng = np.random.default_rng(0)
    w = rng.standard_normal((n, d), dtype=np.float32)
    true = rng.standard_normal((c, d))
    true /= np.linalg.norm(true, axis=1, keepdims=True)
    scores = w @ true.T + noise * rng.standard_normal((n, c))
    return World(w, scores.astype(np.float32), true, extremes)


def compare(made: World, c: int, few: int, fewest: int, rounds: int) -> None:
    """Print all tables for one world: c boundaries, fewer for slow cases, fewest for the paper's call."""
    batched, again = made.learner("linear_svm"), made.learner("linear_svm", solver="sklearn")
    cases: dict[str, Callable[[], object]] = {
        "LinearSVC in a loop": lambda: made.loop(lambda: LinearSVC(dual=False), c),
        "linear_svm, batched": lambda: batched(c),
    }
    if torch.cuda.is_available():
        there = made.learner("linear_svm", device="cuda")
        there(few)
        cases["linear_svm, batched, CUDA"] = lambda: there(c)
    table(f"{c} boundaries", alternate(cases, rounds, warm=False), unit="per boundary", per=c)
    cases = {
        "LinearSVC in a loop": lambda: made.loop(lambda: LinearSVC(dual=False), few),
        "LinearSVC(tol=1e-6) in a loop": lambda: made.loop(
            lambda: LinearSVC(dual=False, tol=1e-6, max_iter=10_000), few
        ),
        "linear_svm, batched": lambda: batched(few),
        "linear_svm, solver: sklearn": lambda: again(few),
    }
    table(f"{few} boundaries", alternate(cases, rounds, warm=False), unit="per boundary", per=few)
    directions: dict[str, list[np.ndarray]] = {}
    early: dict[str, int] = {}

    def loop(label: str, estimator: Callable[[], object], count: int) -> None:
        directions[label] = made.loop(estimator, count)

    def learn(label: str) -> None:
        name, config = LEARNERS[label]
        boundaries = made.learner(name, **config)(few)
        directions[label] = [b.normal for b in boundaries]
        early[label] = sum(not b.facts.get("converged", True) for b in boundaries)

    cases = {
        "LinearSVC in a loop": lambda: loop("LinearSVC as it comes", lambda: LinearSVC(dual=False), fewest),
        'SVC(kernel="linear") in a loop': lambda: loop(
            "SVC(kernel='linear')", lambda: SVC(kernel="linear"), fewest
        ),
    }
    table(f"{fewest} by the paper's call", alternate(cases, 1, warm=False), unit="per boundary", per=fewest)
    table(
        f"Every learner, {few} boundaries",
        alternate({k: partial(learn, k) for k in LEARNERS}, 1, warm=False),
        unit="per boundary",
        per=few,
    )
    print("\n  cosine with the true direction; how many did not converge")
    for label, normals in directions.items():
        stopped = f"  {early[label]} of {few}" if early.get(label) else ""
        print(f"  {label:<28} {made.cosine(normals):.3f}{stopped}")


def main() -> None:
    options = arguments(
        __doc__,
        samples=(50_000, "codes"),
        size=(512, "length of a code"),
        concepts=(102, "boundaries"),
        extremes=(2000, "positives, and as many negatives; 70 %% of them are fitted"),
        few=(4, "boundaries by what is slow, and by every learner"),
        fewest=(1, "boundaries by the paper's call"),
        noise=("0,0.5,3", "standard deviations of noise"),
    )
    warnings.simplefilter("ignore")  # baselines that stop early
    few, fewest = min(options.few, options.concepts), min(options.fewest, options.concepts)
    print(machine())
    print(
        f"{options.samples} codes of length {options.size}, {options.concepts} concepts, {options.extremes} "
        "positives and as many negatives"
    )
    if not torch.cuda.is_available():
        print("No CUDA device: the batched solver is not measured there.")
    for noise in (float(part) for part in options.noise.split(",")):
        print(f"\n=== Noise {noise:g}")
        made = world(options.samples, options.size, options.concepts, options.extremes, noise)
        compare(made, options.concepts, few, fewest, options.rounds)


if __name__ == "__main__":
    main()
