"""Spread of w and of concepts: what varies, and what counts as variation."""

from __future__ import annotations

import numpy as np
import pytest
from ganstrata import Concept
from ganstrata.core.config.reading import validate
from ganstrata.core.errors import DataError
from ganstrata.core.probing.concept_stats import least_spread, spread_of, summarise
from ganstrata.core.runs.prepare import prepare


def test_spread_is_the_root_of_the_mean_variance() -> None:
    w = np.array([[0.0, 0.0], [2.0, 0.0], [4.0, 0.0]], dtype=np.float32)
    assert spread_of(w) == pytest.approx(np.sqrt((4.0 + 0.0) / 2.0))
    assert spread_of(w + 100.0) == pytest.approx(spread_of(w))


def test_margins_are_held_against_their_median() -> None:
    concepts = [
        Concept("a", "attribute", least=None),
        Concept("b", "attribute"),
        Concept("c", "attribute", least=None),
        Concept("d", "colour", least=0.5),
    ]
    assert least_spread(concepts, np.array([4.0, 9.0, 2.0, 9.0])).tolist() == pytest.approx(
        [0.3, 0.02, 0.3, 0.5]
    )


def test_the_median_margin_is_not_a_mean_and_ignores_undefined_margins() -> None:
    concepts = [Concept(name, "attribute", least=None) for name in "abcd"]
    assert least_spread(concepts[:3], np.array([1.0, 2.0, 9.0])).tolist() == pytest.approx(
        [0.2] * 3
    )  # their mean is 4
    assert least_spread(concepts, np.array([1.0, 2.0, np.nan, 9.0])).tolist() == pytest.approx([0.2] * 4)
    assert least_spread(concepts, np.array([1.0, 2.0, 0.0, 9.0])).tolist() == pytest.approx(
        [0.15] * 4
    )  # it is defined, and does not vary
    assert least_spread(concepts[:2], np.array([np.nan, np.nan])).tolist() == [0.0, 0.0]


def test_rows_summarise_the_scores(fakes, config) -> None:
    prepared = prepare(validate(config, "test"))
    ids = [concept.name for concept in prepared.concepts]
    rng = np.random.default_rng(0)
    scores = rng.standard_normal((50, 7)).astype(np.float32)
    scores[:, ids.index("seen/constant")] = 0.3
    scores[:, ids.index("seen/half")] = np.nan
    scores[3, ids.index("seen/half")] = 0.7
    scores[:, ids.index("seen/chance")] *= 0.001
    w = rng.standard_normal((50, 16)).astype(np.float32)
    spread, concepts = summarise(prepared, scores, w)
    assert spread == spread_of(w)
    rows = {row.id: row.model_dump() for row in concepts}
    assert list(rows) == ids
    left = scores[:, ids.index("seen/left")].astype(np.float64)
    assert rows["seen/left"]["mean"] == pytest.approx(left.mean())
    assert rows["seen/left"]["sd"] == pytest.approx(left.std(ddof=1))
    assert rows["seen/left"]["positive_share"] == (left > 0).mean()
    assert rows["seen/left"]["quantiles"] == pytest.approx(
        [left.min(), np.quantile(left, 0.05), np.median(left), np.quantile(left, 0.95), left.max()]
    )
    assert [name for name, row in rows.items() if row["varies"]] == [
        "seen/left",
        "seen/checks",
        "seen/stripes",
        "seen/red",
    ]
    assert (rows["seen/half"]["samples"], rows["seen/half"]["undefined"], rows["seen/half"]["sd"]) == (
        1,
        49,
        0.0,
    )
    assert rows["seen/half"]["positive_share"] is None  # it has no threshold
    scores[3, ids.index("seen/half")] = np.nan
    row = summarise(prepared, scores, np.eye(16, dtype=np.float32))[1][ids.index("seen/half")]
    assert (row.mean, row.quantiles, row.varies) == (None, [], False)
    with pytest.raises(
        DataError, match=r"codes of the generator 'fake_layers'.* are not finite: their spread is nan"
    ):
        summarise(prepared, scores, np.full((50, 16), np.nan, dtype=np.float32))


def test_what_is_undefined_is_left_out_of_mean_spread_and_share(fakes, config) -> None:
    prepared = prepare(validate(config, "test"))
    ids = [concept.name for concept in prepared.concepts]
    scores = np.random.default_rng(1).standard_normal((40, 7)).astype(np.float32)
    column = ids.index("seen/half")
    scores[::3, column] = np.nan
    known = scores[~np.isnan(scores[:, column]), column].astype(np.float64)
    row = summarise(prepared, scores, np.eye(40, dtype=np.float32))[1][column]
    assert (row.samples, row.undefined, row.level, row.varies) == (26, 14, "layout", True)
    assert (row.mean, row.sd) == (pytest.approx(known.mean()), pytest.approx(known.std(ddof=1)))
    assert row.quantiles == pytest.approx(np.quantile(known, [0.0, 0.05, 0.5, 0.95, 1.0]).tolist())
    scores[3:, column] = np.nan  # two are left: a spread of two is one
    row = summarise(prepared, scores, np.eye(40, dtype=np.float32))[1][column]
    assert row.sd == pytest.approx(abs(float(scores[1, column]) - float(scores[2, column])) / np.sqrt(2.0))


def test_margins_that_are_all_the_same_do_not_vary_though_their_least_is_nothing(fakes, config) -> None:
    config["scorers"] = [{"use": "fake_still", "as": "still"}]
    rows = summarise(
        prepare(validate(config, "test")), np.full((40, 2), -3.5, np.float32), np.eye(40, dtype=np.float32)
    )[1]
    assert [(row.sd, row.least, row.varies) for row in rows] == [(0.0, 0.0, False)] * 2


def test_a_spread_of_exactly_the_least_varies(fakes, config) -> None:
    prepared = prepare(validate(config, "test"))
    column = [concept.name for concept in prepared.concepts].index("seen/chance")  # its least is 0.02
    scores = np.random.default_rng(2).standard_normal((50, 7))
    for width, varies in ((0.0201, True), (0.0199, False)):
        scores[:, column] = np.where(np.arange(50) % 2, 1.0, -1.0) * width * np.sqrt(49 / 50)
        row = summarise(prepared, scores.astype(np.float32), np.eye(50, dtype=np.float32))[1][column]
        assert (row.sd, row.varies) == (pytest.approx(width, rel=1e-4), varies)


def test_a_spread_of_exactly_the_least_is_variation(fakes, config) -> None:
    config["scorers"] = [{"use": "fake_still", "as": "still"}]
    scores = np.array([1.0, 1.0, 0.0, -1.0, -1.0])[:, None] * np.array(
        [1.0, 19.0]
    )  # a tenth of the median of 1 and 19 is 1
    rows = summarise(
        prepare(validate(config, "test")), scores.astype(np.float32), np.eye(5, dtype=np.float32)
    )[1]
    assert [(row.sd, row.least, row.varies) for row in rows] == [(1.0, 1.0, True), (19.0, 1.0, True)]


def test_a_margin_of_one_sample_has_no_spread_that_could_count_among_the_others(fakes, config) -> None:
    config["scorers"] = [{"use": "fake_still", "as": "still"}]
    scores = np.stack([np.arange(40.0), np.where(np.arange(40) == 7, 3.0, np.nan)], axis=1).astype(np.float32)
    rows = summarise(prepare(validate(config, "test")), scores, np.eye(40, dtype=np.float32))[1]
    spread = np.arange(40.0).std(ddof=1)
    assert [row.least for row in rows] == pytest.approx([0.1 * spread, 0.1 * spread])
    assert (rows[1].mean, rows[1].sd, rows[1].varies) == (3.0, 0.0, False)


def test_a_score_at_the_threshold_is_not_positive_and_without_scores_there_is_no_share(fakes, config) -> None:
    prepared = prepare(validate(config, "test"))
    column = [concept.name for concept in prepared.concepts].index("seen/left")
    assert prepared.concepts[column].threshold == 0.0
    scores = np.random.default_rng(3).standard_normal((8, 7)).astype(np.float32)
    scores[:, column] = [-1.0, 0.0, 0.0, 2.0, 3.0, -2.0, 0.0, -3.0]
    assert summarise(prepared, scores, np.eye(8, dtype=np.float32))[1][column].positive_share == 2 / 8
    scores[:, column] = np.nan
    assert summarise(prepared, scores, np.eye(8, dtype=np.float32))[1][column].positive_share is None


def test_one_sample_has_no_spread(fakes, config) -> None:
    prepared = prepare(validate(config, "test"))
    scores = np.zeros((1, len(prepared.concepts)), dtype=np.float32)
    with pytest.raises(
        DataError, match=r"one sample with a finite picture has no spread, .*raise synthesis\.samples"
    ):
        summarise(prepared, scores, np.zeros((1, 16), dtype=np.float32))
