"""Order statistics and moments from blocks, against those of whole columns."""

from __future__ import annotations

import numpy as np
import pytest
from ganstrata.core.errors import DataError
from ganstrata.core.probing import order_statistics as selection
from ganstrata.core.probing.column_moments import ColumnMoments
from ganstrata.core.probing.order_statistics import order_statistics, quantiles

SHARES = (0.0, 0.05, 0.5, 0.95, 1.0)


def columns(n: int) -> np.ndarray:
    """Normal, skewed, half undefined, tied, zeros of both signs, one value, huge and tiny, and no value."""
    rng = np.random.default_rng(n)
    normal = rng.standard_normal((n, 8))
    normal[:, 1] = np.exp(20.0 * normal[:, 1])
    normal[rng.random(n) < 0.5, 2] = np.nan
    normal[:, 3] = np.round(normal[:, 3])
    normal[:, 4] = np.where(normal[:, 4] < 0.0, -0.0, 0.0)
    normal[:, 5] = -1.5
    normal[:, 6] *= np.where(rng.random(n) < 0.5, 1e30, 1e-40)
    normal[:, 7] = np.nan
    return normal.astype(np.float32)


def in_blocks(values: np.ndarray, groups: np.ndarray | None = None, size: int = 7):
    def read():
        for start in range(0, len(values), size):
            here = slice(start, start + size)
            yield values[here], None if groups is None else groups[here]

    return read


@pytest.mark.parametrize("n", [1, 2, 7, 100])
@pytest.mark.parametrize("memory", [selection.MEMORY, 1])  # few and many bits in a pass
def test_quantiles_are_exact(n: int, memory: int, monkeypatch: pytest.MonkeyPatch) -> None:
    values = columns(n)
    if memory == 1:
        monkeypatch.setattr(selection, "WIDE", selection.NARROW)
    found = quantiles(in_blocks(values), 8, SHARES)
    for j, column in enumerate(values.T.astype(np.float64)):
        known = column[~np.isnan(column)]
        wanted = np.quantile(known, SHARES) if len(known) else np.full(5, np.nan)
        np.testing.assert_array_equal(found[:, j], wanted)


def test_ranks_within_groups_count_what_is_below_and_equal() -> None:
    values = columns(100)
    groups = np.arange(100) % 3
    ranks = np.stack([np.full((3, 8), 2), np.full((3, 8), 5)])
    ranks[:, 1, 0] = -1
    found = order_statistics(
        in_blocks(values, groups), 3, 8, lambda counts: np.where(counts < 6, -1, ranks), 2
    )
    for t, g, j in np.ndindex(2, 3, 8):
        own = np.sort(values[groups == g, j])
        own = own[~np.isnan(own)]
        if len(own) < 6 or ranks[t, g, j] < 0:
            assert np.isnan(found.value[t, g, j])
            continue
        value = own[ranks[t, g, j]]
        assert found.value[t, g, j] == value
        assert found.below[t, g, j] == (own < value).sum()
        assert found.equal[t, g, j] == (own == value).sum()


def test_too_many_columns_at_once_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "MEMORY", 2**14)  # 2 kB for each column and rank
    assert selection.cells_at_once(2) == 4
    with pytest.raises(DataError, match="too many"):
        quantiles(in_blocks(columns(9)), 8, SHARES)


def test_moments_of_blocks_are_those_of_columns() -> None:
    values = (columns(100) + 1000.0)[:, [0, 2, 3, 5, 7]]
    moments = ColumnMoments(5)
    for block, _ in in_blocks(values)():
        moments.add(block)
    wide = values.astype(np.float64)
    np.testing.assert_array_equal(moments.count, (~np.isnan(wide)).sum(axis=0))
    np.testing.assert_array_equal(moments.undefined, np.isnan(wide).sum(axis=0))
    np.testing.assert_allclose(moments.mean[:4], np.nanmean(wide[:, :4], axis=0), rtol=1e-14)
    np.testing.assert_allclose(moments.variance[:4], np.nanvar(wide[:, :4], axis=0, ddof=1), rtol=1e-10)
    assert moments.variance[3] == 0.0
    assert np.isnan(moments.variance[4])
