"""The fake learner that needs scikit-learn, which the other fakes must not wait for."""

from __future__ import annotations

from ganstrata.plugins.boundaries.linear_svm import LinearSVM


class PerLayer(LinearSVM):
    """The bundled learner, with a boundary per layer."""

    layerwise = True
