"""Levels and classes of units are chosen by counts of pixels."""

from __future__ import annotations

import numpy as np
import pytest
from ganstrata.core.dissection.levels import Tally, choose, information_ratio, pooled_iou

RNG = np.random.default_rng(0)


def tally_of(on: np.ndarray, classes: np.ndarray) -> Tally:
    """Counts of masks (U, P) and one-hot classes (M, P)."""
    return Tally(on @ classes.T, on.sum(axis=1), classes.sum(axis=1), on.shape[1])


def test_information_ratio_is_mutual_information_over_joint_entropy():
    on, classes = RNG.integers(0, 2, (3, 500)), RNG.integers(0, 2, (2, 500))
    on[2] = classes[1]
    ratio = information_ratio(tally_of(on, classes))
    for u in range(3):
        for m in range(2):
            joint = np.histogram2d(on[u], classes[m], bins=2)[0] / 500
            entropy = -(joint * np.log(joint, where=joint > 0, out=np.zeros((2, 2)))).sum()
            ends = [joint.sum(axis=a) for a in (0, 1)]
            apart = [-(p * np.log(p)).sum() for p in ends]
            together = joint[1, 1] > joint[1].sum() * joint[:, 1].sum()
            wanted = (sum(apart) - entropy) / entropy if together else 0.0
            assert ratio[u, m] == pytest.approx(wanted, abs=1e-12)
    assert ratio[2, 1] == pytest.approx(1.0)


def test_a_unit_that_is_off_where_the_class_is_informs_but_does_not_detect():
    on = np.array([[1, 1, 0, 0]])
    classes = np.array([[0, 0, 1, 1]])
    assert information_ratio(tally_of(on, classes)).tolist() == [[0.0]]


def test_classes_without_pixels_have_no_measure_and_are_never_chosen():
    classes = np.array([[1, 1, 0, 0], [0, 0, 0, 0]])
    tally = tally_of(np.array([[1, 0, 0, 0]]), classes)
    for measure in (pooled_iou, information_ratio):
        assert np.isnan(measure(tally)).tolist() == [[False, True]]
    both = Tally(tally.both[None], tally.on[None], tally.labelled, 4)
    assert choose(both, "iqr", np.ones(2, dtype=bool)).label.tolist() == [0]


def test_the_best_level_of_each_unit_is_chosen_with_its_class():
    truth = RNG.integers(0, 3, 3000)
    classes = np.stack([truth == m for m in range(3)]).astype(np.int64)
    values = np.stack([truth == 2, truth == 1, np.zeros(3000)]) + 0.1 * RNG.random((3, 3000))
    values[2] = 5.0  # constant
    levels = np.array([0.05, 0.5, 0.9])
    on = (values[None] > levels[:, None, None]).astype(np.int64)
    on[:, 2] = 0  # its quantiles are its value
    parts = [tally_of(part, classes) for part in on]
    tally = Tally(np.stack([p.both for p in parts]), np.stack([p.on for p in parts]), parts[0].labelled, 3000)
    for measure in ("iqr", "iou"):
        chosen = choose(tally, measure, np.ones(3, dtype=bool))
        assert chosen.label.tolist() == [2, 1, -1]
        assert chosen.level[:2].tolist() == [1, 1]
    assert choose(tally, "iou", np.array([True, True, False])).label[0] != 2
