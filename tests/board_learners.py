"""Learners for leaderboards of planted factors: directions that are known, and ways to fail."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import ganstrata
import numpy as np
from ganstrata.core.errors import DataError
from ganstrata.plugins.boundaries.linear_svm import LinearSVM

TRUTH, IDLE, LEAKING = "planted_truth", "planted_truth, idle: 60", "planted_truth, leak: 30"
KNOWN = ("planted_truth", "planted_truth:{idle: 60}", "planted_truth:{leak: 30}")


class Unlabelled(ganstrata.BoundaryLearner):
    """All axes under names of its own, every one the wrong way round, moved at their own layer alone."""

    supervised = False

    def learn(self, latents, scores, concepts, *, generator=None, seed=0):
        axes = -np.eye(generator.card.code_size)
        return ganstrata.Boundaries(
            ganstrata.Boundary.unlabelled(f"axis/{i}", axes[i], generator, layers=[i])
            for i in reversed(range(generator.card.layers))
        )


class Elsewhere(ganstrata.BoundaryLearner):
    """The planted axes, moved at the last layer alone, where only the last of them does anything."""

    def learn(self, latents, scores, concepts, *, generator=None, seed=0):
        axes, zero = np.eye(generator.card.code_size, dtype=np.float32), np.zeros((), np.float32)
        return ganstrata.Boundaries(
            ganstrata.Boundary(c.name, c.level, axes[i], zero, "w", generator.fingerprint, layers=(3,))
            for i, c in enumerate(concepts)
        )


class Doubtful(ganstrata.BoundaryLearner):
    """Two planted axes, one that does nothing, and one the wrong way round: an effect that may be none."""

    def learn(self, latents, scores, concepts, *, generator=None, seed=0):
        axes, zero = np.eye(generator.card.code_size, dtype=np.float32), np.zeros((), np.float32)
        return ganstrata.Boundaries(
            ganstrata.Boundary(c.name, c.level, normal, zero, "w", generator.fingerprint)
            for c, normal in zip(concepts, (axes[0], axes[1], axes[-1], -axes[3]), strict=True)
        )


class Refusing(ganstrata.BoundaryLearner):
    """Never content."""

    def learn(self, latents, scores, concepts, *, generator=None, seed=0):
        raise DataError("these samples will not do")


class Failing(ganstrata.BoundaryLearner):
    """Has a bug."""

    def learn(self, latents, scores, concepts, *, generator=None, seed=0):
        raise ZeroDivisionError("by zero")


class Infinite(ganstrata.BoundaryLearner):
    """Directions that are none."""

    def learn(self, latents, scores, concepts, *, generator=None, seed=0):
        nan, zero = np.full(12, np.nan, np.float32), np.zeros((), np.float32)
        return ganstrata.Boundaries(
            ganstrata.Boundary(c.name, c.level, nan, zero, "w", generator.fingerprint) for c in concepts
        )


class PerLayer(LinearSVM):
    """A boundary per layer."""

    layerwise = True


class Trained(Unlabelled):
    """Says in which number format it was told to train."""

    trains = True

    def learn(self, *data, precision="fp32", on_share=None, **rest):
        found = super().learn(*data, **rest)
        return ganstrata.Boundaries(replace(b, facts={"trained_in": precision}) for b in found)


LEARNERS = (Unlabelled, Elsewhere, Doubtful, Refusing, Failing, Infinite, PerLayer, Trained)


def values(board: Any, name: str) -> dict[str, float]:
    """The values of a measure by learner."""
    return {row.label: float(v) for row, v in zip(board.rows, board.estimates[name].value, strict=True)}
