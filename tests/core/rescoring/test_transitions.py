"""Compare transitions with counting by hand, and shares and intervals with their definitions."""

from __future__ import annotations

import numpy as np
import pytest
from ganstrata.core.errors import ScoreError
from ganstrata.core.rescoring.transitions import (
    Transition,
    count,
    is_stuff,
    joined,
    mapped,
    returned,
    share,
    staying,
    transitions,
)
from ganstrata.core.statistics import bootstrap_weights, widening

NAMES = ("wall", "sofa", "bed", "lamp")


def maps(seed: int, samples: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Random labels before and after, (samples, 5, 7); the lamp never shows before."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 3, (samples, 5, 7)), rng.integers(0, 4, (samples, 5, 7))


def rows_of(before: np.ndarray, after: np.ndarray, resamplings: int = 300) -> list[Transition]:
    return transitions(count(before, after, 4), NAMES, bootstrap_weights(len(before), resamplings, 1), hop=1)


def test_pixels_are_counted_by_sample_and_pair() -> None:
    before, after = maps(0)
    entries = count(before, after, 4, start=10)
    result = dict(
        zip(
            zip(entries.sample.tolist(), entries.pair.tolist(), strict=True),
            entries.pixels.tolist(),
            strict=True,
        )
    )
    expected: dict[tuple[int, int], int] = {}
    for k in range(6):
        for y in range(5):
            for x in range(7):
                key = (10 + k, int(before[k, y, x]) * 4 + int(after[k, y, x]))
                expected[key] = expected.get(key, 0) + 1
    assert result == expected


def test_batches_add_up_to_the_whole() -> None:
    before, after = maps(1)
    parts = [count(before[at : at + 2], after[at : at + 2], 4, start=at) for at in (4, 0, 2)]
    weights = bootstrap_weights(6, 100, 0)
    assert transitions(joined(parts), NAMES, weights, hop=2) == transitions(
        count(before, after, 4), NAMES, weights, hop=2
    )


def test_shares_are_of_the_picture_and_of_what_was_there() -> None:
    before, after = maps(2)
    rows = rows_of(before, after)
    assert sum(row.of_picture for row in rows) == pytest.approx(1.0)
    assert {row.source for row in rows} == {"wall", "sofa", "bed"}
    for name in ("wall", "sofa", "bed"):
        assert sum(row.of_source for row in rows if row.source == name) == pytest.approx(1.0)
    row = next(row for row in rows if (row.source, row.target) == ("sofa", "lamp"))
    moved = (before == 1) & (after == 3)
    assert row.pixels == moved.sum()
    assert row.of_picture == pytest.approx(moved.mean())
    assert row.of_source == pytest.approx(moved.sum() / (before == 1).sum())
    assert [row.pixels for row in rows] == sorted((row.pixels for row in rows), reverse=True)


def test_the_interval_resamples_whole_samples() -> None:
    before, after = maps(3)
    weights = bootstrap_weights(6, 400, 5)
    row = next(
        r
        for r in transitions(count(before, after, 4), NAMES, weights, hop=1)
        if (r.source, r.target) == ("bed", "sofa")
    )
    shares = []
    for drawn in weights.astype(int):
        chosen = np.repeat(np.arange(6), drawn)
        b, a = before[chosen], after[chosen]
        shares.append(((b == 2) & (a == 1)).sum() / (b == 2).sum())
    # Six samples: percentiles are pulled apart as far as Student's distribution asks.
    wide = row.of_source + widening(np.array(6)) * (np.quantile(shares, (0.025, 0.975)) - row.of_source)
    assert (row.low, row.high) == pytest.approx(tuple(wide))


def test_samples_count_where_the_class_shows_before() -> None:
    before = np.zeros((10, 2, 2), dtype=int)
    before[:3, 0, 0] = 1
    rows = rows_of(before, np.full_like(before, 2))
    assert {row.source: row.samples for row in rows} == {"wall": 10, "sofa": 3}
    sofa = next(row for row in rows if row.source == "sofa")
    # A resampling without any of the three samples has no share, and does not blur the interval.
    assert (sofa.of_source, sofa.low, sofa.high) == (1.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (
            np.zeros((2, 3, 3), int),
            np.zeros((2, 3, 4), int),
            "must have the same shape .images, height, width.",
        ),
        (np.zeros((2, 3), int), np.zeros((2, 3), int), "must have the same shape .images, height, width."),
        (
            np.zeros((1, 2, 2), int),
            np.full((1, 2, 2), 4),
            "labels from 4 to 4; 4 classes have labels from 0 to 3",
        ),
        (np.full((1, 2, 2), -1), np.zeros((1, 2, 2), int), "labels from -1 to -1"),
    ],
)
def test_maps_that_are_none_are_refused(before: np.ndarray, after: np.ndarray, words: str) -> None:
    with pytest.raises(ScoreError, match=words):
        count(before, after, 4)


def row(
    source: str, target: str, *, picture: float = 0.1, part: float = 0.5, samples: int = 50
) -> Transition:
    return Transition(
        1, source, target, round(1000 * picture), picture, part, part - 0.1, part + 0.1, samples
    )


def test_staying_shares_are_reported_for_large_and_common_classes() -> None:
    rows = [
        *(row("wall", "wall", part=0.6), row("wall", "bed", part=0.4)),
        *(row("floor", "floor", part=0.9), row("floor", "bed", part=0.1)),
        row("ceiling", "bed", part=1.0),
        row("sky", "sky", samples=7),
        row("rug", "rug", picture=0.001),
    ]
    result = staying(rows, ["wall", "floor", "ceiling", "sky", "rug", "grass"])
    assert [(r.source, r.target, r.of_source) for r in result] == [
        ("floor", "floor", 0.9),
        ("wall", "wall", 0.6),
        ("ceiling", "ceiling", 0.0),
    ]


def test_flows_are_between_different_classes_of_the_requested_kinds() -> None:
    small, rare = row("lamp", "bed", picture=0.001), row("lamp", "sofa", samples=3)
    rows = [
        row("bed", "bed"),
        row("sofa", "bed", picture=0.05),
        row("wall", "bed", picture=0.3),
        row("bed", "table", picture=0.2),
        small,
        rare,
    ]
    assert [(r.source, r.target) for r in mapped(rows, ["bed", "sofa", "table", "lamp"])] == [
        ("bed", "table"),
        ("sofa", "bed"),
    ]


def test_what_a_hop_changes_back_is_counted_among_what_the_last_one_changed() -> None:
    first, second = maps(4)
    assert (returned(first, second, first)[:, 0] == (first != second).sum(axis=(1, 2))).all()
    assert (np.diff(returned(first, second, first), axis=1) == 0).all()
    assert (returned(first, second, second)[:, 1] == 0).all()
    assert (returned(first, first, second) == 0).all()


def test_a_share_weighs_samples_by_their_pixels() -> None:
    counts = np.array([[100, 100], [300, 0]])
    value, low, high = share(counts, np.array([[1.0, 1.0], [2.0, 0.0], [0.0, 2.0]]))
    assert value == 0.25
    assert 0.0 <= low < 0.25 < high <= 1.0
    assert np.isnan(share(np.zeros((3, 2), int), np.ones((5, 3)))).all()


@pytest.mark.parametrize(
    "name",
    [
        "wall",
        "left_wall",
        "Floor",
        "floor, flooring",
        "road;route",
        "swimming pool, water",
        "dirt track / grass",
    ],
)
def test_stuff_is_known_by_its_last_word(name: str) -> None:
    assert is_stuff(name)


@pytest.mark.parametrize(
    "name", ["bed", "wall clock", "floor lamp", "windowpane", "curtain", "waterbed", "label_3"]
)
def test_objects_are_all_else(name: str) -> None:
    assert not is_stuff(name)


@pytest.mark.parametrize("samples", [8, 16, 32])
def test_the_interval_of_a_share_covers_the_truth_with_few_samples(samples: int) -> None:
    rng = np.random.default_rng(samples)
    weights, covered = bootstrap_weights(samples, 600, 0), 0
    for _ in range(600):
        size = rng.gamma(3.0, 30.0, samples).astype(int) + 1
        _, low, high = share(
            np.stack([size, np.rint(size * rng.beta(3.0, 2.0, samples)).astype(int)], axis=1), weights
        )
        covered += low <= 0.6 <= high
    assert 0.915 < covered / 600 < 0.975  # without Student's quantile 0.87 at 8 samples


def test_one_sample_says_nothing_of_others() -> None:
    counts = np.array([[10, 10], [0, 0], [0, 0]])
    value, low, high = share(counts, bootstrap_weights(3, 50, 0))
    assert value == 1.0
    assert np.isnan([low, high]).all()
    before = np.zeros((4, 2, 2), dtype=int)
    before[1, 0, 0] = 1
    sofa = next(row for row in rows_of(before, before) if row.source == "sofa")
    assert sofa.of_source == 1.0
    assert np.isnan([sofa.low, sofa.high]).all()


def test_intervals_of_shares_stay_between_none_and_all() -> None:
    low, high = np.array(
        [share(np.array([[10, 9]] * 3 + [[10, k]]), bootstrap_weights(4, 200, 0))[1:] for k in (1, 10)]
    ).T
    assert (low >= 0.0).all()
    assert (high <= 1.0).all()


def test_classes_at_the_minimum_size_are_reported() -> None:
    """Exactly 8 samples and exactly 0.2 % of the picture are enough."""
    assert len(staying([row("sky", "sky", samples=8), row("rug", "rug", picture=0.002)], ["sky", "rug"])) == 2
    assert len(mapped([row("bed", "sofa", samples=8, picture=0.002)], ["bed", "sofa"])) == 1
    assert mapped([row("bed", "sofa", samples=7), row("sofa", "bed", picture=0.0019)], ["bed", "sofa"]) == []


def test_resamplings_with_a_single_pixel_count() -> None:
    _, low, high = share(np.array([[1, 1], [1, 0]]), np.array([[1.0, 0.0], [0.0, 1.0]]))
    assert (low, high) == (0.0, 1.0)


def test_transitions_of_one_size_stand_in_the_order_of_their_classes() -> None:
    names = tuple("abcdef")
    pairs = [(a, b) for a in range(6) for b in range(6)]
    sizes = [1 + i % 3 for i in range(36)]
    before, after = (np.repeat([pair[k] for pair in pairs], sizes).reshape(2, 6, 6) for k in (0, 1))
    result = transitions(count(before, after, 6), names, bootstrap_weights(2, 50, 0), hop=1)
    wanted = [
        (names[a], names[b])
        for size in (3, 2, 1)
        for (a, b), own in zip(pairs, sizes, strict=True)
        if own == size
    ]
    assert [(row.source, row.target) for row in result] == wanted
