"""Spread of w and of concepts: what varies, and what counts as variation."""

from __future__ import annotations

import numpy as np
import pytest
from ganstrata import Concept
from ganstrata.core.configfile import validate
from ganstrata.core.errors import DataError
from ganstrata.core.prepare import prepare
from ganstrata.core.summary import least_spread, spread_of, summarise


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
    assert least_spread(concepts, np.array([4.0, 9.0, 2.0, 9.0])).tolist() == pytest.approx([0.3, 0.02, 0.3, 0.5])


def test_the_median_margin_is_no_mean_and_takes_those_that_are_defined() -> None:
    concepts = [Concept(name, "attribute", least=None) for name in "abcd"]
    assert least_spread(concepts[:3], np.array([1.0, 2.0, 9.0])).tolist() == pytest.approx([0.2] * 3)  # their mean is 4
    assert least_spread(concepts, np.array([1.0, 2.0, np.nan, 9.0])).tolist() == pytest.approx([0.2] * 4)
    assert least_spread(concepts, np.array([1.0, 2.0, 0.0, 9.0])).tolist() == pytest.approx([0.15] * 4)  # it is defined, and does not vary
    assert least_spread(concepts[:2], np.array([np.nan, np.nan])).tolist() == [0.0, 0.0]


def test_rows_say_what_the_scores_look_like(fakes, config) -> None:
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
    assert [name for name, row in rows.items() if row["varies"]] == ["seen/left", "seen/checks", "seen/stripes", "seen/red"]
    assert (rows["seen/half"]["samples"], rows["seen/half"]["undefined"], rows["seen/half"]["sd"]) == (1, 49, 0.0)
    assert rows["seen/half"]["positive_share"] is None  # it has no threshold
    scores[3, ids.index("seen/half")] = np.nan
    row = summarise(prepared, scores, np.eye(16, dtype=np.float32))[1][ids.index("seen/half")]
    assert (row.mean, row.quantiles, row.varies) == (None, [], False)
    with pytest.raises(DataError, match="codes of the generator 'fake_layers' are not finite: their spread is nan"):
        summarise(prepared, scores, np.full((50, 16), np.nan, dtype=np.float32))
