"""The fake learner that needs scikit-learn, which the other fakes must not wait for."""

from __future__ import annotations

import ganstrata
import numpy as np
import torch
from ganstrata import Boundaries, Boundary
from ganstrata.plugins.boundaries.linear_svm import LinearSVM
from ganstrata.plugins.boundaries.ridge import Ridge


class PerLayer(LinearSVM):
    """The bundled learner, with a boundary per layer."""

    layerwise = True


class Found(ganstrata.BoundaryLearner):
    """Ridge's boundaries, and directions without labels.

    They are the four that are planted, the fourth mixed with the third, one that moves texture alone, and
    the fourth at layers that cause it and at layers that do not.
    """

    supervised = False
    from_samples = False

    def learn(self, latents, scores, concepts, *, generator=None, seed=0):
        """Return the boundaries, then found/0 to found/7."""
        ridge = Ridge(Ridge.Config(positives=60, negatives=60), torch.device("cpu"))
        axes = np.eye(16)
        vectors = [*-axes[:4], axes[3] + 0.5 * axes[2], axes[12], axes[3], axes[3]]
        layers = [None] * 6 + [(6, 7), (0, 1, 2)]
        found = [
            Boundary.unlabelled(f"found/{i}", vector, generator, layers=own)
            for i, (vector, own) in enumerate(zip(vectors, layers, strict=True))
        ]
        return Boundaries([*ridge.learn(latents, scores, concepts, generator=generator, seed=seed), *found])
