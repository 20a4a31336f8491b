"""Learning boundaries against plain calls of scikit-learn on the same samples.

Scores are linear in w with noise, so that the classes overlap as they do in practice. The plain calls
sort, cut and fit; they do not centre, split, or measure accuracy. `SVC(kernel="linear")` is what the
paper's code calls; it is timed on fewer concepts because it is slow.
"""

from __future__ import annotations

import ganstrata
import numpy as np
from measure import alternate, arguments, machine, table
from sklearn.linear_model import Ridge
from sklearn.svm import SVC, LinearSVC

NOISE = 1.0  # sd of a score's noise, over the sd of its linear part
FEW = 2  # concepts for the slow baseline


def main() -> None:
    options = arguments(
        __doc__, samples=(6000, "codes"), size=(128, "length of a code"), concepts=(12, "learnt"), extremes=(1200, "positives, and as many negatives")
    )
    rng = np.random.default_rng(0)
    n, d, c, m = options.samples, options.size, options.concepts, options.extremes
    w = rng.standard_normal((n, d)).astype(np.float32)
    true = rng.standard_normal((d, c)) / d**0.5
    scores = (w @ true + NOISE * rng.standard_normal((n, c))).astype(np.float32)
    concepts = [ganstrata.Concept(f"made/{j}", "attribute") for j in range(c)]
    svm = ganstrata.load_learner("linear_svm", device="cpu", positives=m, negatives=m)
    ridge = ganstrata.load_learner("ridge", device="cpu", positives=m, negatives=m)

    def extremes(j: int) -> tuple[np.ndarray, np.ndarray]:
        order = np.argsort(-scores[:, j])
        share = int(0.7 * m)
        return w[np.r_[order[:share], order[-share:]]].astype(np.float64), np.repeat([1, 0], share)

    def each(machine: object, count: int = c) -> None:
        for j in range(count):
            machine.fit(*extremes(j))  # type: ignore[attr-defined]

    def cosine(boundaries: ganstrata.Boundaries) -> float:
        unit = true / np.linalg.norm(true, axis=0)
        return float(np.mean([b.normal @ unit[:, j] for j, b in enumerate(boundaries)]))

    print(machine())
    print(f"{n} codes of length {d}, {c} concepts, {m} positives and {m} negatives; times are per concept")
    share = slice(0, int(0.7 * n))
    cases = {
        "scikit-learn LinearSVC": lambda: each(LinearSVC(dual=False)),
        "linear_svm": lambda: svm.learn(w, scores, concepts),
    }
    table("Support vectors", alternate(cases, options.rounds), unit="per concept", per=c)
    slow = {"LinearSVC": lambda: each(LinearSVC(dual=False), FEW), 'SVC(kernel="linear")': lambda: each(SVC(kernel="linear"), FEW)}
    table("The same against the paper's call", alternate(slow, 1), unit="per concept", per=FEW)
    cases = {
        "scikit-learn Ridge, one concept after another": lambda: [Ridge().fit(w[share].astype(np.float64), scores[share, j]) for j in range(c)],
        "scikit-learn Ridge, all concepts in one call": lambda: Ridge().fit(w[share].astype(np.float64), scores[share].astype(np.float64)),
        "ridge": lambda: ridge.learn(w, scores, concepts),
    }
    table("Ridge", alternate(cases, options.rounds), unit="per concept", per=c)
    found = {name: cosine(learner.learn(w, scores, concepts)) for name, learner in (("linear_svm", svm), ("ridge", ridge))}
    print("\nMean cosine between the normals found and the true ones: " + ", ".join(f"{name} {value:.3f}" for name, value in found.items()))


if __name__ == "__main__":
    main()
