"""The selection of samples, compared with sorting by hand, and with difficult scores."""

from __future__ import annotations

import re

import numpy as np
import pytest
from ganstrata.core.boundaries.selection import (
    Extremes,
    _within_classes,
    accuracy,
    apportion,
    count_of,
    ends,
    select_extremes,
)
from ganstrata.core.errors import DataError
from ganstrata.core.rounding import ceil_share, floor_share
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError


def chosen(scores, positives, negatives, *, seed=0, concept="a/x", classes=None, **rest):
    """Return the selection, and the rows of its positives and negatives; check that no row repeats."""
    extremes = Extremes(positives=positives, negatives=negatives, **rest)
    selection = select_extremes(scores, extremes, concept=concept, seed=seed, classes=classes)
    rows = np.concatenate([selection.train, selection.held_out])
    labels = np.concatenate([selection.train_labels, selection.held_out_labels])
    assert len(np.unique(rows)) == len(rows)
    return selection, set(rows[labels == 1].tolist()), set(rows[labels == 0].tolist())


@settings(deadline=None, max_examples=100)
@given(st.data())
def test_highest_and_lowest_by_sorting(data):
    n = data.draw(st.integers(4, 60))
    values = data.draw(st.lists(st.integers(-1000, 1000), min_size=n, max_size=n, unique=True))
    holes = data.draw(st.sets(st.integers(0, n - 1), max_size=n - 4))
    scores = np.array(values, dtype=np.float32)
    scores[list(holes)] = np.nan
    known = sorted((v, i) for i, v in enumerate(scores.tolist()) if i not in holes)
    k = data.draw(st.integers(2, len(known) // 2))
    m = data.draw(st.integers(2, len(known) // 2))
    selection, high, low = chosen(scores, k, m)
    assert high == {i for _, i in known[-k:]}
    assert low == {i for _, i in known[:m]}
    assert set(selection.rest.tolist()) == {i for _, i in known[m : len(known) - k]}
    middle = (known[0][0] + known[-1][0]) / 2.0
    assert selection.rest_labels.tolist() == [int(scores[i] > middle) for i in selection.rest]
    everything = np.concatenate([selection.train, selection.held_out, selection.rest])
    assert len(set(everything.tolist())) == len(everything) == len(known)


@pytest.mark.parametrize(("share", "train"), [(0.7, (28, 14)), (0.5, (20, 10)), (0.71, (29, 15))])
def test_both_parts_have_the_same_composition(share, train):
    scores = np.random.default_rng(0).standard_normal(200).astype(np.float32)
    selection, _, _ = chosen(scores, 40, 20, train_share=share)
    assert ((selection.train_labels == 1).sum(), (selection.train_labels == 0).sum()) == train
    assert (selection.held_out_labels == 1).sum() == 40 - train[0]
    assert (selection.held_out_labels == 0).sum() == 20 - train[1]
    assert (scores[selection.train] > 0).tolist() == (selection.train_labels == 1).tolist()


def test_the_split_is_by_chance_but_the_same_each_time():
    scores = np.random.default_rng(0).standard_normal(400)
    first, again = chosen(scores, 100, 100)[0], chosen(scores, 100, 100)[0]
    assert first.train.tolist() == again.train.tolist()
    others = [chosen(scores, 100, 100, seed=1)[0], chosen(scores, 100, 100, concept="a/y")[0]]
    assert all(set(o.train.tolist()) != set(first.train.tolist()) for o in others)
    # Not the extreme ones for training and the milder ones for the test.
    means = [np.abs(scores[part]).mean() for part in (first.train, first.held_out)]
    assert abs(means[0] - means[1]) < 0.2


def test_ties_are_broken_by_position():
    scores = np.array([1.0, 0.0, 1.0, 0.5, 1.0, 0.5, 0.0, 0.0, 0.5, 0.5], dtype=np.float32)
    _, high, low = chosen(scores, 2, 2)
    assert high == {0, 2}
    assert low == {6, 7}
    # The same among many, where sorting is not stable by itself.
    scores = np.random.default_rng(0).integers(0, 5, 2000).astype(np.float32)
    ordered = sorted(range(2000), key=lambda i: (-scores[i], i))
    assert chosen(scores, 500, 500)[1:] == (set(ordered[:500]), set(ordered[-500:]))


def test_ties_within_one_end_do_no_harm_but_across_both_do():
    scores = np.array([0.0] * 6 + [1.0] * 4)
    assert chosen(scores, 4, 4)[1] == {6, 7, 8, 9}
    with pytest.raises(
        DataError,
        match=r"a/x: the 5 highest and 5 lowest scores overlap: 6 of 10 samples score 0; ask for fewer",
    ):
        chosen(scores, 5, 5)


def test_constant_scores_are_refused():
    with pytest.raises(DataError, match=r"overlap: 9 of 9 samples score 0.25"):
        chosen(np.append(np.full(9, 0.25), np.nan), 2, 2)


@pytest.mark.parametrize(
    ("requested", "available", "message"),
    [
        (
            51,
            100,
            "a/x: 51 positives were requested, but there are 100 samples with a score, "
            "so 2 to 50 are possible",
        ),
        (2000, 100, "2000 positives were requested"),
        (0.51, 100, "0.51 positives were requested"),
        (1, 100, "1 positives were requested"),
        (0.01, 100, "0.01 positives were requested"),
    ],
)
def test_impossible_numbers_are_refused_and_possible_numbers_named(requested, available, message):
    with pytest.raises(DataError, match=re.escape(message)) as caught:
        count_of(requested, available, "positives", "a/x")
    change = "lower" if requested > 50 or requested == 0.51 else "raise"
    assert f"{change} boundary.with.positives or raise synthesis.samples" in str(caught.value)


def test_undefined_samples_do_not_count_as_available():
    scores = np.full(100, np.nan)
    scores[:30] = np.arange(30)
    with pytest.raises(DataError, match="20 negatives were requested, but there are 30 samples with a score"):
        chosen(scores, 5, 20)
    with pytest.raises(DataError, match="there are 0 samples with a score"):
        chosen(np.full(100, np.nan), 5, 5)


@settings(deadline=None, max_examples=200)
@given(st.integers(1, 50), st.integers(4, 5000))
def test_a_share_in_percent_is_rounded_down(percent, available):
    exact = percent * available // 100
    if 2 <= exact <= available // 2:
        assert count_of(percent / 100, available, "positives", "a/x") == exact


def test_one_is_a_count_or_a_share_by_how_it_is_written():
    with pytest.raises(DataError, match="1 positives"):
        count_of(1.0, 100, "positives", "a/x")
    assert count_of(30.0, 100, "positives", "a/x") == 30


def test_the_config_refuses_impossible_numbers_before_a_run():
    with pytest.raises(DataError, match="every concept: 60 negatives"):
        Extremes(positives=10, negatives=60).check(100)
    Extremes(positives=0.5, negatives=50).check(100)
    for wrong in (
        {"positives": 0},
        {"negatives": -1},
        {"train_share": 1.0},
        {"train_share": 0.0},
        {"positive": 3},
    ):
        with pytest.raises(ValidationError):
            Extremes(**wrong)


def test_accuracy():
    distances = np.array([0.5, -0.1, 0.2, 0.0])
    assert accuracy(distances, np.array([1, 0, 1, 0])) == 1.0
    assert accuracy(distances, np.array([0, 1, 0, 1])) == 0.0
    assert accuracy(distances, np.array([1, 1, 1, 1])) == 0.5
    assert accuracy(np.empty(0), np.empty(0, dtype=np.int64)) is None


def test_within_classes_positives_and_negatives_have_the_same_classes() -> None:
    rng = np.random.default_rng(0)
    classes = rng.integers(0, 4, 400)
    scores = rng.standard_normal(400) + 10.0 * classes  # without classes the label would be the class
    chosen = select_extremes(
        scores, Extremes(positives=60, negatives=60), concept="a/x", seed=0, classes=classes
    )
    rows, labels = (
        np.concatenate([chosen.train, chosen.held_out]),
        np.concatenate([chosen.train_labels, chosen.held_out_labels]),
    )
    for member in range(4):
        inside = classes[rows] == member
        high, low = rows[inside & (labels == 1)], rows[inside & (labels == 0)]
        assert len(high) == len(low) > 10
        others = np.setdiff1d(np.flatnonzero(classes == member), np.concatenate([high, low]))
        assert scores[high].min() > scores[others].max() > scores[others].min() > scores[low].max()
    assert len(rows) == 120
    assert sorted(np.concatenate([rows, chosen.rest])) == list(range(400))


def test_a_class_whose_samples_score_the_same_supplies_none() -> None:
    classes = np.repeat([0, 1], 50)
    scores = np.concatenate([np.zeros(50), np.arange(50.0)])
    chosen = select_extremes(
        scores, Extremes(positives=20, negatives=20), concept="a/x", seed=0, classes=classes
    )
    assert (classes[np.concatenate([chosen.train, chosen.held_out])] == 1).all()
    assert len(chosen.train) + len(chosen.held_out) == 20


def test_classes_too_small_to_have_two_ends() -> None:
    with pytest.raises(DataError, match="shared among 40 classes of up to 1 sample"):
        select_extremes(
            np.arange(40.0),
            Extremes(positives=10, negatives=10),
            concept="a/x",
            seed=0,
            classes=np.arange(40),
        )


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_every_class_that_can_supplies_both_ends_in_one_proportion(data) -> None:
    sizes = np.array(data.draw(st.lists(st.integers(1, 30), min_size=1, max_size=12)))
    if sizes.sum() < 4:
        return
    positives, negatives = (data.draw(st.integers(2, int(sizes.sum()) // 2)) for _ in range(2))
    high, low = ends(positives, negatives, sizes)
    assert (high + low <= sizes).all()
    assert ((high > 0) >= (low > 0)).all() if positives >= negatives else ((low > 0) >= (high > 0)).all()
    assert high.sum() <= positives
    assert low.sum() <= negatives
    if positives == negatives:
        assert (high == low).all()
        # Nothing is left out but for want of room: every class is full, or all are there.
        assert high.sum() == min(positives, (sizes // 2).sum())
        assert (
            (abs(high - positives * sizes / sizes.sum()) < 1.0).all()
            or high.sum() == (sizes // 2).sum()
            or (high == sizes // 2).any()
        )
    if (sizes > 1).any():
        assert high.sum() > 0
        assert low.sum() > 0
    # A class whose exact share of both ends is one sample or more is not left out.
    exact = min(positives, negatives) * sizes / sizes.sum()
    assert (np.minimum(high, low)[exact >= 1.0] > 0).all()


@settings(deadline=None, max_examples=200)
@given(st.lists(st.integers(0, 50), min_size=1, max_size=10), st.integers(0, 200))
def test_shares_add_up_and_differ_from_exact_shares_by_less_than_one(sizes: list[int], total: int) -> None:
    table = np.array(sizes)
    shares = apportion(total, table)
    if not table.sum():
        assert shares.tolist() == [0] * len(sizes)
        return
    assert shares.sum() == total
    assert (abs(shares - total * table / table.sum()) < 1.0).all()
    most = table // 2
    held = apportion(total, table, most)
    assert (held <= most).all()
    assert held.sum() == min(total, most.sum())


def test_no_class_of_odd_size_is_dropped() -> None:
    """For halves of 40 classes of 5, both ends would round up to 3, and overlap."""
    rng = np.random.default_rng(0)
    classes = np.repeat(np.arange(40), 5)
    selection, highest, lowest = chosen(rng.standard_normal(200), 0.5, 0.5, classes=classes)
    assert np.bincount(classes[[*highest]]).tolist() == np.bincount(classes[[*lowest]]).tolist() == [2] * 40
    assert selection.requested == (100, 100)
    assert len(highest | lowest) == 160


def test_unequal_numbers_of_positives_and_negatives_keep_their_proportion_in_every_class() -> None:
    rng = np.random.default_rng(1)
    classes = np.repeat(np.arange(10), 50)
    _, highest, lowest = chosen(rng.standard_normal(500), 30, 150, classes=classes)
    assert np.bincount(classes[[*highest]]).tolist() == [3] * 10
    assert np.bincount(classes[[*lowest]]).tolist() == [15] * 10


@settings(deadline=None, max_examples=300)
@given(st.integers(0, 1000), st.integers(1, 100_000))
def test_shares_in_thousandths_are_rounded_as_on_paper(thousandths: int, total: int) -> None:
    assert floor_share(thousandths / 1000, total) == thousandths * total // 1000
    assert ceil_share(thousandths / 1000, total) == -(-thousandths * total // 1000)


def test_the_share_of_training_samples_is_the_requested_one() -> None:
    scores = np.random.default_rng(0).standard_normal(400)
    for share, train in ((0.07, 7), (0.14, 14), (0.28, 28), (0.55, 55), (0.56, 56), (0.57, 57)):
        selection = chosen(scores, 100, 100, train_share=share)[0]
        assert selection.train_labels.sum() == train


def test_a_count_that_is_not_whole_is_refused() -> None:
    with pytest.raises(
        DataError, match=r"a/x: 250.5 positives were requested; give a whole number, or a share up to 0.5"
    ):
        count_of(250.5, 1000, "positives", "a/x")


def test_the_defaults_are_those_of_the_docs() -> None:
    extremes = Extremes()
    assert (extremes.positives, extremes.negatives, extremes.train_share) == (2000, 2000, 0.7)
    for wrong in ({"negatives": 0}, {"positives": -1}):
        with pytest.raises(ValidationError):
            Extremes(**wrong)


@pytest.mark.parametrize(("available", "change"), [(2, "lower"), (3, "lower"), (4, "raise"), (5, "raise")])
def test_one_sample_is_too_few_where_two_are_possible(available: int, change: str) -> None:
    with pytest.raises(DataError, match=f"; {change} boundary.with.positives or raise"):
        count_of(1, available, "positives", "a/x")


def test_ends_that_touch_in_one_score_are_not_apart() -> None:
    with pytest.raises(DataError, match=r"2 highest and 2 lowest scores overlap: 3 of 5 samples score 2;"):
        chosen(np.array([3.0, 2.0, 2.0, 2.0, 1.0]), 2, 2)
    assert chosen(np.array([3.0, 2.0, 1.9, 1.0]), 2, 2)[1:] == ({0, 1}, {2, 3})


def test_what_has_no_size_gets_no_share_though_there_is_room() -> None:
    assert apportion(5, np.array([0, 3]), np.array([4, 3])).tolist() == [0, 3]


def test_a_class_whose_ends_are_just_apart_supplies_both() -> None:
    """Classes of four, of which halves are requested, and one of six with a tie after its two highest."""
    for scores, share in (([3.0, 2.0, 1.0, 0.0], 0.5), ([5.0, 4.0, 4.0, 3.5, 3.0, 2.0], 0.34)):
        values, classes = (
            np.tile(scores, 3) + np.repeat([0.0, 10.0, 20.0], len(scores)),
            np.repeat([0, 1, 2], len(scores)),
        )
        selection = select_extremes(
            values, Extremes(positives=share, negatives=share), concept="a/x", seed=0, classes=classes
        )
        rows = np.concatenate([selection.train, selection.held_out])
        assert np.bincount(classes[rows]).tolist() == [4, 4, 4]


def test_small_classes_supply_one_of_each_end_though_few_negatives_are_wanted() -> None:
    high, low = ends(10, 2, np.full(10, 3))
    assert (high.sum(), low.sum()) == (4, 2)
    assert ((high > 0) == (low > 0)).all()
    assert [share.sum() for share in ends(2, 2, np.array([1, 1, 1, 1]))] == [0, 0]


def test_a_share_below_one_sample_goes_to_the_first_classes_of_one_sample() -> None:
    assert apportion(2, np.array([1, 1, 1])).tolist() == [1, 1, 0]


def test_ties_between_classes_are_broken_by_class_and_position() -> None:
    """The choice among samples with equal scores must not depend on how a processor sorts."""
    rng = np.random.default_rng(0)
    scores, classes = rng.integers(0, 6, 2000).astype(np.float64), rng.integers(0, 3, 2000)
    order = np.argsort(-scores, kind="stable")
    for rows in _within_classes(scores, order, classes, 600, 600, "a/x"):
        assert len(rows) == 600
        assert rows.tolist() == sorted(rows.tolist(), key=lambda i: (-scores[i], classes[i], i))


def test_a_share_of_all_samples_is_too_much_and_not_one_sample() -> None:
    with pytest.raises(DataError, match=r"; lower boundary\.with\.positives or raise"):
        count_of(1.0, 100, "positives", "a/x")


def test_a_sample_in_the_middle_of_the_scores_is_a_negative_of_the_rest() -> None:
    selection = chosen(np.array([4.0, 3.0, 2.0, 1.0, 0.0]), 2, 2)[0]
    assert (selection.rest.tolist(), selection.rest_labels.tolist()) == ([2], [0])


def test_of_equal_remainders_the_first_are_rounded_up() -> None:
    assert apportion(50, np.full(100, 5)).tolist() == [1] * 50 + [0] * 50
