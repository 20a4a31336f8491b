"""The paper's learner: a linear support vector machine on the highest and the lowest scores."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import LinearSVC

from ...core.contracts import BoundaryLearner, Generator
from ...core.planes import boundary_of, unit_plane
from ...core.records import Boundaries, Concept
from ...core.selection import Extremes, Selection, accuracy, select


class LinearSVM(BoundaryLearner):
    """One scikit-learn LinearSVC per concept, and per layer where latents are (N, L, D).

    The paper uses hinge loss and C = 1 on raw codes (section 2.2, appendix A.3). `squared_hinge`,
    the default, is the smooth variant, whose optimum is found to any precision in the primal; hinge
    may stop early on data that are not separable, which is recorded with the boundary. Codes are
    centred first, because the solver shrinks the intercept along with the coefficients.
    """

    class Config(Extremes):
        """Which samples, and how strictly they are separated."""

        C: float = Field(default=1.0, gt=0.0, description="weight of errors against the width of the margin")
        loss: Literal["squared_hinge", "hinge"] = Field(default="squared_hinge", description="hinge is the paper's")
        max_iterations: int = Field(default=10_000, ge=1, description="of the solver")

    config: Config
    within_classes = True

    def check(self, samples: int) -> None:
        """Refuse a run whose samples cannot supply the positives and negatives."""
        self.config.check(samples)

    def learn(
        self,
        latents: NDArray[np.float32],
        scores: NDArray[np.float32],
        concepts: Sequence[Concept],
        *,
        generator: Generator | None = None,
        seed: int = 0,
        classes: NDArray[np.int64] | None = None,
    ) -> Boundaries:
        """A boundary per concept from latents (N, D) or (N, L, D), scores (N, C) and classes (N,) if there are any.

        Raises:
            DataError: too few samples for the positives and negatives, or scores that do not vary.
        """
        found = []
        for j, concept in enumerate(concepts):
            selection = select(scores[:, j], self.config, concept=concept.name, seed=seed, classes=classes)
            if latents.ndim == 2:
                normal, offset, facts = self._fit(latents, selection, concept.name, seed)
                found.append(boundary_of(concept, normal, offset, generator, facts))
                continue
            layers = [self._fit(latents[:, layer], selection, concept.name, seed) for layer in range(latents.shape[1])]
            normals, offsets, each = zip(*layers, strict=True)
            found.append(boundary_of(concept, np.stack(normals), np.array(offsets), generator, {"layers": list(each)}))
        return Boundaries(found)

    def _fit(self, w: NDArray[np.float32], selection: Selection, concept: str, seed: int) -> tuple[NDArray[np.float64], float, dict[str, Any]]:
        """Normal (D,), offset and facts for codes (N, D)."""
        x = w[selection.train].astype(np.float64)
        centre = x.mean(axis=0)
        machine = LinearSVC(
            C=self.config.C,
            loss=self.config.loss,
            dual=self.config.loss == "hinge",
            max_iter=self.config.max_iterations,
            random_state=seed % 2**32,
        )
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", ConvergenceWarning)
            machine.fit(x - centre, selection.train_labels)
        converged = not any(issubclass(w.category, ConvergenceWarning) for w in caught)
        normal, offset = unit_plane(machine.coef_[0], float(machine.intercept_[0]), concept=concept)
        offset -= float(normal @ centre)
        facts = {
            "positives": int((selection.train_labels == 1).sum() + (selection.held_out_labels == 1).sum()),
            "negatives": int((selection.train_labels == 0).sum() + (selection.held_out_labels == 0).sum()),
            "held_out_accuracy": accuracy(w[selection.held_out] @ normal + offset, selection.held_out_labels),
            "rest_accuracy": accuracy(w[selection.rest] @ normal + offset, selection.rest_labels),
            "converged": converged,
        }
        return normal, offset, facts
