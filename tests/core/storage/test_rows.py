"""Tables of rows: every kind gives the same rows as the array that it stands for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ganstrata.core.storage import rows as tables
from ganstrata.core.storage.chunks import ArrayLayout
from ganstrata.core.storage.rows import (
    ChosenColumns,
    ChosenRows,
    JoinedColumns,
    StoredRows,
    blocks,
    rows_at,
    with_columns,
)
from ganstrata.core.storage.shards import Shards

N = 23
ARRAY = np.arange(3 * N, dtype=np.float32).reshape(N, 3)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "MOST", 4)


@pytest.fixture
def stored(tmp_path: Path) -> StoredRows:
    shards = Shards(tmp_path / "a.zarr")
    shards.create({"w": ArrayLayout((N, 3), (5, 3), "float32")})
    for start in range(0, N, 5):
        here = slice(start, min(start + 5, N))
        shards.write(str(start), {"w": ((here, slice(0, 3)), ARRAY[here])})
    return StoredRows(shards, "w")


@pytest.mark.parametrize(
    "rows", [slice(None), slice(4, 11), slice(5, 10), slice(7, 7), slice(20, 99), slice(0)]
)
def test_stored_rows_are_those_of_the_array(stored: StoredRows, rows: slice) -> None:
    assert stored.shape == ARRAY.shape
    np.testing.assert_array_equal(stored[rows], ARRAY[rows])
    assert stored[rows].dtype == np.float32


def test_a_pass_reads_each_chunk_once(stored: StoredRows, monkeypatch: pytest.MonkeyPatch) -> None:
    read, asked = Shards.read, []
    monkeypatch.setattr(Shards, "read", lambda self, *a: (asked.append(a), read(self, *a))[1])
    whole = np.concatenate([block for _, (block,) in blocks(stored)])
    np.testing.assert_array_equal(whole, ARRAY)
    assert len(asked) == 5


def test_what_was_read_can_be_changed_without_harm(stored: StoredRows) -> None:
    stored[0:3][:] = 0.0
    np.testing.assert_array_equal(stored[0:3], ARRAY[0:3])


def test_columns_and_rows_of_tables(stored: StoredRows) -> None:
    again = np.array([0, 0, 3, 3, 3, 9, 22])
    joined = JoinedColumns([stored, ChosenColumns(stored, [2, 0])])
    assert joined.shape == (N, 5)
    np.testing.assert_array_equal(joined[2:9], ARRAY[2:9][:, [0, 1, 2, 2, 0]])
    chosen = ChosenRows(joined, again)
    assert chosen.shape == (7, 5)
    for rows in (slice(None), slice(1, 4), slice(3, 3), slice(6, 99)):
        np.testing.assert_array_equal(chosen[rows], ARRAY[again[rows]][:, [0, 1, 2, 2, 0]])
    assert isinstance(with_columns(ARRAY, [1]), np.ndarray)
    np.testing.assert_array_equal(with_columns(stored, [1])[:], ARRAY[:, [1]])


def test_blocks_of_two_tables_go_together(stored: StoredRows) -> None:
    found = list(blocks(ARRAY[:, :1], stored))
    assert [here.start for here, _ in found] == list(range(0, N, 4))
    for here, (one, other) in found:
        np.testing.assert_array_equal(one, ARRAY[here, :1])
        np.testing.assert_array_equal(other, ARRAY[here])


def test_rows_by_number_in_any_order(stored: StoredRows) -> None:
    wanted = np.array([22, 0, 7, 7, 3])
    np.testing.assert_array_equal(rows_at(stored, wanted), ARRAY[wanted])
    np.testing.assert_array_equal(rows_at(ARRAY, wanted), ARRAY[wanted])
    assert rows_at(stored, wanted[:0]).shape == (0, 3)
