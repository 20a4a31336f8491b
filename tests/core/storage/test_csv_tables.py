"""Tables as CSV, whole and in parts, and files that are written from parts."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest
from ganstrata.core.storage import csv_tables
from ganstrata.core.storage.csv_tables import csv_parts, csv_text
from ganstrata.core.storage.disk import write_parts


def test_parts_join_to_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [[f"a{i}", 0.5 * i, None] for i in range(10)]
    whole = csv_text(rows)
    monkeypatch.setattr(csv_tables, "ROWS_IN_PART", 3)
    parts = list(csv_parts(iter(rows)))
    assert [part.count("\n") for part in parts] == [3, 3, 3, 1]
    assert "".join(parts) == whole


def test_a_table_is_written_without_holding_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_tables, "ROWS_IN_PART", 100)
    rows = (["some concept", i] for i in range(20_000))
    tracemalloc.start()
    write_parts(tmp_path / "t.csv", (part.encode() for part in csv_parts(rows)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (tmp_path / "t.csv").read_text().endswith("some concept,19999\n")
    assert peak < 2 * 10**5 < (tmp_path / "t.csv").stat().st_size


def test_a_part_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    def parts():
        yield b"new"
        raise ValueError("no more")

    (tmp_path / "t.csv").write_text("old")
    with pytest.raises(ValueError, match="no more"):
        write_parts(tmp_path / "t.csv", parts())
    assert [file.name for file in tmp_path.iterdir()] == ["t.csv"]
    assert (tmp_path / "t.csv").read_text() == "old"
