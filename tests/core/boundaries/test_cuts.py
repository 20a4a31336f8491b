"""Extremes selected block by block, against those selected from whole columns."""

from __future__ import annotations

import numpy as np
import pytest
from ganstrata.core.boundaries import cuts as streamed
from ganstrata.core.boundaries.cuts import cuts_of, portions, splits_of
from ganstrata.core.boundaries.selection import Extremes, select_extremes
from ganstrata.core.errors import DataError
from ganstrata.core.storage import rows as tables

NAMES = ["c/smooth", "c/tied", "c/holes", "c/few values"]
PARTS = ("train", "train_labels", "held_out", "held_out_labels")


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "MOST", 32)


def scores_of(n: int) -> np.ndarray:
    rng = np.random.default_rng(n)
    scores = rng.standard_normal((n, 4)).astype(np.float32)
    scores[:, 1] = np.round(4.0 * scores[:, 1]) / 4.0
    scores[rng.random(n) < 0.4, 2] = np.nan
    scores[:, 3] = np.round(scores[:, 3])
    return scores


@pytest.mark.parametrize("classes", [1, 4])
@pytest.mark.parametrize(("positives", "negatives"), [(20, 30), (0.2, 0.1), (25, 7)])
def test_they_are_those_of_whole_columns(positives: float, negatives: float, classes: int) -> None:
    n = 300
    scores, extremes = scores_of(n), Extremes(positives=positives, negatives=negatives)
    drawn = None if classes == 1 else 3 * np.random.default_rng(1).integers(classes, size=n)
    every = cuts_of(scores, extremes, NAMES, drawn)
    order = [2, 0, 3, 1]  # in another order of memory
    cuts, chosen = every.of(order), scores[:, order]
    names = [NAMES[j] for j in order]
    splits = splits_of(chosen, cuts, extremes, names, 5, drawn)
    blocks = list(cuts.selected(chosen, drawn))
    assert len(blocks) > 5
    high, low = (np.concatenate([block[i] for block in blocks]) for i in (2, 3))
    for j, name in enumerate(names):
        wanted = select_extremes(chosen[:, j], extremes, concept=name, seed=5, classes=drawn)
        for part in PARTS:
            np.testing.assert_array_equal(getattr(splits[j], part), getattr(wanted, part))
        labels = np.concatenate([wanted.train_labels, wanted.held_out_labels])
        rows = np.concatenate([wanted.train, wanted.held_out])
        assert set(np.flatnonzero(high[:, j])) == set(rows[labels == 1])
        assert set(np.flatnonzero(low[:, j])) == set(rows[labels == 0])
        np.testing.assert_array_equal(
            chosen[wanted.rest, j] > cuts.midpoint[j], wanted.rest_labels.astype(bool)
        )
        assert cuts.counts[:, j].tolist() == [labels.sum(), len(labels) - labels.sum()]
        assert tuple(cuts.requested[:, j]) == wanted.requested


@pytest.mark.parametrize("classes", [1, 2])
@pytest.mark.parametrize(
    "column",
    [np.zeros(60), np.repeat([0.0, 1.0], [55, 5]), np.where(np.arange(60) < 50, np.nan, np.arange(60))],
)
def test_what_cannot_be_selected_is_refused_in_the_same_words(column: np.ndarray, classes: int) -> None:
    extremes = Extremes(positives=10, negatives=10)
    drawn = None if classes == 1 else np.arange(60) // 30
    scores = column.astype(np.float32)[:, None]
    try:
        select_extremes(scores[:, 0], extremes, concept="c/x", seed=0, classes=drawn)
        wanted = ""
    except DataError as error:
        wanted = str(error)
    try:
        cuts_of(scores, extremes, ["c/x"], drawn)
        found = ""
    except DataError as error:
        found = str(error)
    assert found == wanted
    assert found or classes == 2


def test_columns_that_do_not_fit_at_once_are_taken_in_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    scores, extremes = scores_of(200), Extremes(positives=20, negatives=20)
    together = cuts_of(scores, extremes, NAMES)
    monkeypatch.setattr(streamed, "cells_at_once", lambda wanted: 1)
    for name, values in vars(cuts_of(scores, extremes, NAMES)).items():
        np.testing.assert_array_equal(values, getattr(together, name))


def test_portions_hold_every_concept_once_and_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    cuts = cuts_of(scores_of(200), Extremes(positives=20, negatives=20), NAMES)
    monkeypatch.setattr(streamed, "MEMORY", 85 * streamed.ROW_BYTES)  # of two concepts with 40 rows each
    assert list(cuts.portions()) == [[0, 1], [2, 3]]
    assert list(portions([10, 10, 90, 10, 10], 20)) == [[0, 1], [2], [3, 4]]
