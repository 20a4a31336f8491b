"""Learners on samples of a conditional generator: a boundary must not be that between classes."""

from __future__ import annotations

import numpy as np
import pytest
from ganstrata import Concept, load_learner


@pytest.mark.parametrize("name", ["linear_svm", "ridge"])
def test_the_direction_is_that_within_classes(name: str) -> None:
    rng = np.random.default_rng(0)
    n, planted, confounded = 2000, np.eye(8)[0], np.eye(8)[1]
    classes = rng.integers(0, 2, n)
    # Latents of the classes lie apart along one axis, and so do their scores; within a class another axis decides.
    latents = rng.standard_normal((n, 8)) + 3.0 * np.outer(classes, confounded)
    scores = latents @ planted + 10.0 * classes
    latents, scores = latents.astype(np.float32), scores.astype(np.float32)[:, None]
    learner = load_learner(name, device="cpu", positives=0.5, negatives=0.5)
    assert learner.within_classes
    (with_classes,) = learner.learn(latents, scores, [Concept("x", "attribute")], classes=classes)
    (without,) = learner.learn(latents, scores, [Concept("x", "attribute")])
    assert with_classes.normal @ planted > 0.95
    assert abs(with_classes.normal @ confounded) < 0.15
    assert without.normal @ confounded > 0.5  # what would be found by mistake
